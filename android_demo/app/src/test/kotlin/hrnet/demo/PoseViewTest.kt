package hrnet.demo

import android.graphics.Bitmap
import android.graphics.Canvas
import android.graphics.Color
import hrnet.core.Frame
import hrnet.core.Keypoints
import hrnet.core.People
import java.nio.ByteBuffer
import org.junit.Assert.assertEquals
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.annotation.GraphicsMode

/** A joint is drawn on the pixel where it is, however the frame lies. */
@RunWith(RobolectricTestRunner::class)
@GraphicsMode(GraphicsMode.Mode.NATIVE)
class PoseViewTest {
    @Test
    fun `a joint is drawn at its place, turned and mirrored`() {
        for (rotation in listOf(0, 90, 180, 270)) for (mirrored in listOf(false, true)) {
            val frame = Frame()
            frame.fill(ByteBuffer.allocate(4 * 40 * 40), 40, 40, rotation = rotation)
            val joint = arrayOf(intArrayOf(255, 0, 0))
            val keypoints = Keypoints(listOf("joint"), emptyArray(), emptyArray(), joint, null)
            val people = People(most = 2, keypoints = 1)
            people.count = 1
            val pose = people.poses[0]
            pose.points[0] = 10f
            pose.points[1] = 30f
            pose.scores[0] = 1f
            val view = PoseView(RuntimeEnvironment.getApplication(), null)
            view.mirrored = mirrored
            view.layout(0, 0, 400, 400)
            view.show(frame, keypoints, people)
            val bitmap = Bitmap.createBitmap(400, 400, Bitmap.Config.ARGB_8888)
            view.draw(Canvas(bitmap))
            assertEquals(Color.RED, bitmap.getPixel(if (mirrored) 295 else 105, 305))
        }
    }
}

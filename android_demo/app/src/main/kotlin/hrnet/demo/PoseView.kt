package hrnet.demo

import android.content.Context
import android.graphics.Bitmap
import android.graphics.Canvas
import android.graphics.Color
import android.graphics.Matrix
import android.graphics.Paint
import android.util.AttributeSet
import android.view.View
import hrnet.core.Frame
import hrnet.core.Keypoints
import hrnet.core.Overlay
import hrnet.core.People
import hrnet.core.Pose
import java.nio.Buffer
import java.nio.IntBuffer

private const val SEEN = 0.25f // scores from which joints are drawn

/**
 * Shows a frame and the people found in it.
 *
 * It draws the very frame that the network saw, not a preview beside it: so skeletons sit on
 * people however the phone is held, and a frozen picture is the one that was measured.
 */
class PoseView(context: Context, attributes: AttributeSet?) : View(context, attributes) {
    /** Whether left and right are exchanged, as in a mirror. */
    var mirrored = false

    private var bitmaps: List<Bitmap> = emptyList() // one is drawn while the other is filled
    private var shown = 0
    private var pixels = IntBuffer.allocate(0)
    private var keypoints: Keypoints? = null
    private var people = People(0, 0)
    private var rotation = 0
    private var frameMirrored = false
    private val matrix = Matrix()
    private val overlay = Overlay()
    private val paint = Paint(Paint.ANTI_ALIAS_FLAG or Paint.FILTER_BITMAP_FLAG)

    /** Takes a frame and the people in it; from any thread. */
    fun show(frame: Frame, keypoints: Keypoints, people: People) {
        synchronized(this) {
            val next = 1 - shown
            val bitmap = bitmap(frame, next)
            (pixels as Buffer).rewind() // Android 8 and 9 lack IntBuffer's own
            bitmap.copyPixelsFromBuffer(pixels)
            shown = next
            rotation = frame.rotation
            frameMirrored = frame.mirrored
            this.keypoints = keypoints
            place(keypoints, people.poses.size).set(people)
        }
        postInvalidate()
    }

    private fun bitmap(frame: Frame, index: Int): Bitmap {
        val last = bitmaps.firstOrNull()
        if (last?.width != frame.bufferWidth || last.height != frame.bufferHeight) {
            bitmaps = List(2) {
                Bitmap.createBitmap(frame.bufferWidth, frame.bufferHeight, Bitmap.Config.ARGB_8888)
            }
        }
        // The lowest byte of a pixel is red, as in the memory of a bitmap.
        if (!pixels.hasArray() || pixels.array() !== frame.pixels) pixels = IntBuffer.wrap(frame.pixels)
        return bitmaps[index]
    }

    /** A place for so many people; that of the last frame, if it has the size. */
    private fun place(keypoints: Keypoints, most: Int): People {
        val first = people.poses.firstOrNull()
        if (people.poses.size != most || first?.scores?.size != keypoints.count) {
            people = People(most, keypoints.count)
        }
        return people
    }

    override fun onDraw(canvas: Canvas) = synchronized(this) {
        val bitmap = bitmaps.getOrNull(shown) ?: return
        val turned = rotation % 180 != 0
        val frameWidth = if (turned) bitmap.height else bitmap.width
        val frameHeight = if (turned) bitmap.width else bitmap.height
        overlay.fit(frameWidth, frameHeight, width, height, fill = false, mirrored = mirrored)
        matrix.setTranslate(-bitmap.width / 2f, -bitmap.height / 2f)
        matrix.postRotate(rotation.toFloat())
        if (frameMirrored) matrix.postScale(-1f, 1f)
        matrix.postScale(overlay.scaleX, overlay.scaleY)
        matrix.postTranslate(width / 2f, height / 2f)
        canvas.drawBitmap(bitmap, matrix, paint)
        val keypoints = keypoints ?: return
        for (i in 0 until people.count) drawPose(canvas, keypoints, people.poses[i])
    }

    private fun drawPose(canvas: Canvas, keypoints: Keypoints, pose: Pose) {
        paint.strokeWidth = 4 * resources.displayMetrics.density
        keypoints.skeleton.forEachIndexed { index, (a, b) ->
            if (pose.scores[a] >= SEEN && pose.scores[b] >= SEEN) {
                paint.color = color(keypoints.colors[index])
                canvas.drawLine(x(pose, a), y(pose, a), x(pose, b), y(pose, b), paint)
            }
        }
        for (k in 0 until keypoints.count) {
            if (pose.scores[k] >= SEEN) {
                paint.color = color(keypoints.pointColors[k])
                canvas.drawCircle(x(pose, k), y(pose, k), paint.strokeWidth, paint)
            }
        }
    }

    private fun x(pose: Pose, k: Int) = overlay.x(pose.points[2 * k])

    private fun y(pose: Pose, k: Int) = overlay.y(pose.points[2 * k + 1])

    private fun color(rgb: IntArray) = Color.rgb(rgb[0], rgb[1], rgb[2])
}

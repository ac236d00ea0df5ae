package hrnet.demo

import android.graphics.Bitmap
import android.graphics.BitmapFactory
import androidx.test.ext.junit.runners.AndroidJUnit4
import androidx.test.platform.app.InstrumentationRegistry
import com.google.ai.edge.litert.Accelerator
import hrnet.core.Frame
import java.nio.ByteBuffer
import kotlin.math.abs
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith

/** The models in the assets on this device: every accelerator finds what the CPU finds. */
@RunWith(AndroidJUnit4::class)
class ModelsTest {
    private val context = InstrumentationRegistry.getInstrumentation().targetContext

    @Test
    fun everyAcceleratorFindsWhatTheCpuFinds() {
        val frame = drawing()
        for (model in modelNames(context.assets)) {
            val wanted = points(Choice(model), frame)
            for (accelerator in listOf(Accelerator.GPU, Accelerator.NPU)) {
                val found = points(Choice(model, accelerator), frame)
                val worst = wanted.indices.maxOf { abs(wanted[it] - found[it]) }
                assertTrue("$model on $accelerator is off by $worst pixels", worst < 2)
            }
        }
    }

    private fun points(choice: Choice, frame: Frame): FloatArray =
        Engine(context.assets, choice).use { engine ->
            engine.find(frame).also { assertTrue("nobody found", it.count > 0) }.poses[0].points.copyOf()
        }

    private fun drawing(): Frame {
        val options = BitmapFactory.Options().apply { inScaled = false }
        val bitmap = BitmapFactory.decodeResource(context.resources, R.drawable.drawing, options)
            .copy(Bitmap.Config.ARGB_8888, false)
        val buffer = ByteBuffer.allocateDirect(bitmap.byteCount)
        bitmap.copyPixelsToBuffer(buffer)
        return Frame().also { it.fill(buffer, bitmap.width, bitmap.height, bitmap.rowBytes) }
    }
}

package hrnet.core

import java.nio.ByteBuffer
import java.lang.management.ManagementFactory
import org.json.JSONObject
import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test

/** The whole way of a frame, with a network that answers as a test wants. */
class PoseEstimatorTest {
    private val json = Vectors.read("crops").getJSONArray("cards").getJSONArray(0).getJSONObject(1)

    @Test
    fun `a peak in the heat maps is found at its place in the turned frame`() {
        val card = Card.read(json.toString())
        val pose = Pose(17)
        val frame = Frame().also { it.fill(ByteBuffer.allocate(4 * 60 * 40), 60, 40, rotation = 90) }
        val model = Answers { output -> for (k in 0 until 17) output.floats[(5 * 6 + 2) * 17 + k] = 0.8f }
        PoseEstimator(card, model).estimate(frame, Box(4f, 6f, 18f, 24f), pose)
        // 1.25 of the box is 22.5 x 30 pixels from (1.75, 3), and 24 x 32 pixels of the crop.
        val (x, y) = 1.75f + 8 * 22.5f / 24 to 3 + 20 * 30f / 32
        for (k in 0 until 17) {
            assertArrayEquals(floatArrayOf(x, y), pose.points.copyOfRange(2 * k, 2 * k + 2), 1e-4f)
        }
        assertEquals(0.8f, pose.score)
    }

    @Test
    fun `no memory is asked for from frame to frame, whatever the codec and type`() {
        val codecs = listOf("msra" to 17, "face" to 17, "dark" to 17, "udp" to 17, "udp_combined" to 51)
        val threads = ManagementFactory.getThreadMXBean() as com.sun.management.ThreadMXBean
        for ((name, channels) in codecs) {
            val card = JSONObject(json.toString())
            card.getJSONObject("output").put("dtype", "int8").getJSONArray("shape").put(3, channels)
            card.put("codec", JSONObject(mapOf("name" to name, "blur_kernel" to 11, "radius_factor" to 0.1)))
            val run = Run(Card.read(card.toString()))
            run.frames(3000) // until compiled
            val before = threads.currentThreadAllocatedBytes
            run.frames(200)
            val bytes = threads.currentThreadAllocatedBytes - before
            assertTrue("$name: $bytes bytes in 200 frames", bytes < 200 * 16)
        }
    }

    /** Frames of one camera, as the app handles them. */
    private class Run(private val card: Card) {
        private val pixels = ByteBuffer.allocateDirect(4 * 60 * 40)
        private val frame = Frame()
        private val pose = Pose(17)
        private val box = Box()
        private val tracker = PersonTracker(card.keypoints.sigmas, 17)
        private val estimator = PoseEstimator(
            card,
            Answers { it.bytes.fill(3); it.bytes[17 * 20] = 100 },
        )
        private var count = 0

        fun frames(more: Int) = repeat(more) {
            val time = count++ / 30.0
            frame.fill(pixels, 60, 40, rotation = 270)
            tracker.look(time, frame.width, frame.height, box)
            estimator.estimate(frame, box, pose)
            tracker.update(pose, time)
        }
    }

    @Test
    fun `percentiles are those of NumPy, of the last frames`() {
        val latency = Latency(window = 4)
        for (milliseconds in listOf(90, 1, 4, 2, 8)) latency.add(Stage.CROP, milliseconds * 1_000_000L)
        assertEquals(3.0, latency.percentile(Stage.CROP, 50), 1e-9) // of 1, 2, 4, 8
        assertEquals(6.8, latency.percentile(Stage.CROP, 90), 1e-9)
        assertEquals(0.0, latency.percentile(Stage.NETWORK, 50), 0.0)
        latency.clear()
        assertEquals(0.0, latency.percentile(Stage.CROP, 50), 0.0)
    }

    @Test
    fun `an overlay puts the corners of a frame where the view shows them`() {
        val overlay = Overlay()
        overlay.fit(480, 640, 1080, 1440, fill = true, mirrored = false)
        assertEquals(0f, overlay.x(-0.5f), 1e-3f) // the left edge of the first pixel
        assertEquals(1440f, overlay.y(639.5f), 1e-3f)
        overlay.fit(480, 640, 1080, 1440, fill = true, mirrored = true)
        assertEquals(1080f, overlay.x(-0.5f), 1e-3f)
        overlay.fit(480, 640, 1000, 2000, fill = true, mirrored = false) // 1500 wide, 250 lost on each side
        assertEquals(-250f, overlay.x(-0.5f), 1e-3f)
        assertEquals(2000f, overlay.y(639.5f), 1e-3f)
        overlay.fit(480, 640, 960, 2000, fill = false, mirrored = false) // 1280 high, 360 left above
        assertEquals(360f, overlay.y(-0.5f), 1e-3f)
    }

    private class Answers(private val answer: (Tensor) -> Unit) : Model {
        override val runsOn = "a test"

        override fun run(input: Tensor, outputs: Array<Tensor>) = answer(outputs[0])

        override fun close() = Unit
    }
}

package hrnet.core

import java.nio.ByteBuffer
import org.json.JSONArray
import org.json.JSONObject
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test

/** What users bring wrong becomes one sentence, of the right kind. */
class BadInputTest {
    private val good = Vectors.read("crops").getJSONArray("cards").getJSONArray(0).getJSONObject(0)

    @Test
    fun `a card that cannot be used is refused in a sentence`() {
        val shape = JSONArray(listOf(1, 32, 24, 3))
        val wrong = mapOf<String, (JSONObject) -> Unit>(
            "version" to { it.put("version", 2) },
            "task" to { it.put("task", "segmentation") },
            "mean" to { it.remove("mean") },
            "means" to { it.put("std", JSONArray(listOf(1, 0, 1))) },
            "padding" to { it.put("padding", 0) },
            "codec" to { it.getJSONObject("codec").put("name", "simcc") },
            "the model's input" to { it.remove("input") },
            "must be float32, int8 or uint8" to { it.getJSONObject("input").put("dtype", "int16") },
            "an input (1, height" to { it.getJSONObject("input").put("shape", JSONArray(listOf(4, 32, 24, 3))) },
            "an output (1, height / 4" to { it.getJSONObject("output").put("shape", shape) },
            "colours" to { it.getJSONObject("keypoints").put("colors", JSONArray()) },
        )
        Card.read(good.toString())
        for ((word, damage) in wrong) {
            val card = JSONObject(good.toString()).also(damage)
            val error = assertThrows(BadCard::class.java) { Card.read(card.toString()) }
            assertTrue("$word: ${error.message}", word in error.message!! && "\n" !in error.message!!)
        }
        for (text in listOf("", "{", "[]", good.toString().take(400))) {
            assertThrows(BadCard::class.java) { Card.read(text) }
        }
    }

    @Test
    fun `an odd blur is refused`() {
        val card = JSONObject(good.toString())
        card.put("codec", JSONObject("""{"name": "dark", "sigma": 2.0, "blur_kernel": 4}"""))
        assertThrows(BadCard::class.java) { Card.read(card.toString()) }
    }

    @Test
    fun `an image without pixels, too short, or turned by halves is refused`() {
        val frame = Frame()
        val buffer = ByteBuffer.allocate(4 * 6 * 5)
        assertThrows(BadFrame::class.java) { frame.fill(buffer, 0, 5) }
        assertThrows(BadFrame::class.java) { frame.fill(buffer, 6, 6) }
        assertThrows(BadFrame::class.java) { frame.fill(buffer, 6, 5, rowStride = 20) }
        assertThrows(BadFrame::class.java) { frame.fill(buffer, 6, 5, rotation = 45) }
        frame.fill(buffer, 6, 5, rotation = 270) // and the next good one is taken
        assertEquals(5 to 6, frame.width to frame.height)
    }

    @Test
    fun `numbers that are none are refused, in every codec`() {
        for (codec in listOf(Codec.Msra, Codec.Face, Codec.Dark(11), Codec.Udp(11), Codec.UdpCombined(0.1f, 3))) {
            for (bad in listOf(Float.NaN, Float.POSITIVE_INFINITY)) {
                val maps = FloatArray(8 * 6 * codec.channels).also { it[9 * codec.channels] = bad }
                val decoder = codec.decoder(8, 6, 1)
                assertThrows(BadTensor::class.java) { decoder.decode(maps, FloatArray(2), FloatArray(1)) }
            }
        }
    }

    @Test
    fun `a model of other tensors than its card says is refused`() {
        val spec = TensorSpec(intArrayOf(1, 8, 6, 17), DType.INT8)
        checkSize("output", spec, 8 * 6 * 17)
        assertThrows(BadTensor::class.java) { checkSize("output", spec, 8 * 6 * 16) }
    }

    @Test
    fun `nobody in the picture is no error, and the whole of the next one is searched`() {
        val tracker = PersonTracker(null, 17)
        val pose = Pose(17)
        repeat(3) {
            tracker.look(it / 30.0, 64, 48, pose.box)
            assertEquals(listOf(0f, 0f, 64f, 48f), pose.box.run { listOf(x, y, width, height) })
            assertFalse(tracker.update(pose, it / 30.0))
        }
        assertEquals(0f, pose.score)
    }
}

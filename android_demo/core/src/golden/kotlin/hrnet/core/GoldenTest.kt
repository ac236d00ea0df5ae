package hrnet.core

import java.nio.ByteBuffer
import kotlin.math.abs
import org.json.JSONObject
import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test

/**
 * Kotlin computes what Python computes: crops, inputs, keypoints, regions, boxes, smoothing.
 *
 * Runs on phones too, which want names without spaces.
 */
class GoldenTest {
    private val crops = Vectors.read("crops")

    /** Cards as JSON: [aligned or not][floats or bytes]. */
    private val cards = List(2) { aligned ->
        crops.getJSONArray("cards").getJSONArray(aligned).objects().map { Card.read(it.toString()) }
    }

    @Test
    fun cropsDifferByOneGreyLevelOnAtMostAThousandthOfTheValues() {
        var values = 0
        var other = 0
        for (case in crops.getJSONArray("cases").objects()) {
            val card = cards[if (case.getBoolean("aligned")) 1 else 0][0]
            val input = crop(case, card)
            val wanted = Vectors.bytes(case.getString("crop"))
            for (i in wanted.indices) {
                val level = 255 * (input.floats[i] * card.std[i % 3] + card.mean[i % 3])
                val difference = abs(level - (wanted[i].toInt() and 255))
                assertTrue("$case: $difference levels at $i", difference < 1.01)
                if (difference > 0.5) other++
            }
            values += wanted.size
        }
        assertTrue("$other of $values", other <= values / 1000)
    }

    @Test
    fun inputsArePythonsAsFloatsAndAsBytes() {
        for (case in crops.getJSONArray("cases").objects().filter { it.has("floats") }) {
            val (floating, quantised) = cards[if (case.getBoolean("aligned")) 1 else 0]
            val floats = Vectors.buffer(case.getString("floats")).asFloatBuffer()
            val wanted = FloatArray(floats.remaining()).also { floats.get(it) }
            assertArrayEquals(wanted, crop(case, floating).floats, 0.0175f)
            val bytes = Vectors.bytes(case.getString("bytes"))
            val ours = crop(case, quantised).bytes
            assertEquals(0, bytes.indices.count { bytes[it] != ours[it] }.minus(bytes.size / 1000).coerceAtLeast(0))
        }
    }

    @Test
    fun pointsOfACropComeBackToTheSamePixelsOfTheFrame() {
        for (case in crops.getJSONArray("cases").objects()) {
            val card = cards[if (case.getBoolean("aligned")) 1 else 0][0]
            val region = Region(card).also { it.around(Vectors.box(case.getJSONArray("box"))) }
            val lastX = card.input.shape[2] - 1
            val lastY = card.input.shape[1] - 1
            val ours = floatArrayOf(
                region.shiftX, region.shiftY,
                region.scaleX * lastX + region.shiftX, region.scaleY * lastY + region.shiftY,
            )
            assertArrayEquals(Vectors.floats(case.getJSONArray("corners")), ours, 1e-3f)
        }
    }

    @Test
    fun everyCodecFindsTheKeypointsThatPythonFinds() {
        val decoded = Vectors.read("decoded")
        val count = decoded.getInt("count")
        for (case in decoded.getJSONArray("cases").objects()) {
            val codec = Card.read(withCodec(case.getJSONObject("codec"))).codec
            val decoder = codec.decoder(decoded.getInt("height"), decoded.getInt("width"), count)
            val bits = Vectors.buffer(case.getString("maps")).asShortBuffer()
            val unit = decoded.getDouble("unit").toFloat()
            val maps = FloatArray(bits.remaining()) { bits.get(it) * unit }
            val points = FloatArray(2 * count)
            val scores = FloatArray(count)
            repeat(2) { decoder.decode(maps, points, scores) } // nothing is left of the first time
            assertArrayEquals("$codec", Vectors.floats(case.getJSONArray("points")), points, 0.01f)
            assertArrayEquals("$codec", Vectors.floats(case.getJSONArray("scores")), scores, 1e-5f)
        }
    }

    @Test
    fun aDetectorSeesAndFindsWhatPythonSeesAndFinds() {
        val detected = Vectors.read("detected")
        val cards = detected.getJSONArray("cards").objects().map { DetectorCard.read(it.toString()) }
        for (case in detected.getJSONArray("cases").objects()) {
            val card = cards[case.getInt("card")]
            val maps = Maps(card, case.getJSONObject("maps"), detected.getDouble("unit").toFloat())
            val detector = PersonDetector(card, maps, detected.getDouble("least").toFloat())
            val turned = frame(detected, case.getInt("rotation"), case.getBoolean("mirrored"))
            repeat(2) { detector.find(turned) } // nothing is left of the first time
            if (case.has("input")) checkInput(card, detector.input, case.getString("input"))
            val found = detector.find(turned)
            val scores = Vectors.floats(case.getJSONArray("scores"))
            assertArrayEquals(scores, found.scores.copyOf(found.count), 1e-5f)
            val box = Box()
            val boxes = FloatArray(4 * found.count) { i ->
                found.get(i / 4, box)
                floatArrayOf(box.x, box.y, box.width, box.height)[i % 4]
            }
            assertArrayEquals(Vectors.floats(case.getJSONArray("boxes")), boxes, 0.01f)
        }
    }

    /** Pixels within a grey level; what lies beside the frame exactly. */
    private fun checkInput(card: DetectorCard, input: Tensor, packed: String) {
        val scale = card.input.scale
        val level = 1.01f / 255 / card.std.min()
        if (card.input.dtype == DType.FLOAT32) {
            val floats = Vectors.buffer(packed).asFloatBuffer()
            val wanted = FloatArray(floats.remaining()).also { floats.get(it) }
            assertArrayEquals(wanted, input.floats, level)
            assertTrue(wanted.indices.none { wanted[it] == 0f && input.floats[it] != 0f })
        } else {
            val wanted = Vectors.bytes(packed)
            val worst = wanted.indices.maxOf { abs(wanted[it] - input.bytes[it]) }
            assertTrue("$worst", worst <= level / scale + 1)
        }
    }

    /** A network that answers the maps of a case. */
    private class Maps(private val card: DetectorCard, maps: JSONObject, unit: Float) : Model {
        override val runsOn = "a test"
        private val answers = card.outputs.map { spec ->
            val text = maps.getString(spec.name)
            Tensor(spec).also { tensor ->
                if (spec.dtype == DType.FLOAT32) {
                    val bits = Vectors.buffer(text).asShortBuffer()
                    for (i in tensor.floats.indices) tensor.floats[i] = bits.get(i) * unit
                } else {
                    Vectors.bytes(text).copyInto(tensor.bytes)
                }
            }
        }

        override fun run(input: Tensor, outputs: Array<Tensor>) {
            for ((answer, output) in answers.zip(outputs)) {
                answer.floats.copyInto(output.floats)
                answer.bytes.copyInto(output.bytes)
            }
        }

        override fun close() = Unit
    }

    @Test
    fun aPersonIsFollowedLostFoundAgainAndSmoothedAsInPython() {
        val followed = Vectors.read("followed")
        val (height, width) = followed.getJSONArray("size").let { it.getInt(0) to it.getInt(1) }
        val count = followed.getJSONArray("sigmas").length()
        val tracker = PersonTracker(Vectors.floats(followed.getJSONArray("sigmas")), count)
        val pose = Pose(count)
        for ((index, case) in followed.getJSONArray("frames").objects().withIndex()) {
            val time = case.getDouble("time")
            tracker.look(time, width, height, pose.box)
            val box = Vectors.floats(case.getJSONArray("box"))
            val ours = floatArrayOf(pose.box.x, pose.box.y, pose.box.width, pose.box.height)
            assertArrayEquals("box of frame $index", box, ours, 0.01f)
            Vectors.floats(case.getJSONArray("points")).copyInto(pose.points)
            Vectors.floats(case.getJSONArray("scores")).copyInto(pose.scores)
            assertEquals("frame $index", !case.isNull("smooth"), tracker.update(pose, time))
            if (!case.isNull("smooth")) {
                val smooth = Vectors.floats(case.getJSONArray("smooth"))
                assertArrayEquals("frame $index", smooth, tracker.pose.points, 0.01f)
            }
        }
    }

    private fun crop(case: JSONObject, card: Card): Tensor {
        val region = Region(card).also { it.around(Vectors.box(case.getJSONArray("box"))) }
        val turned = frame(crops, case.getInt("rotation"), case.getBoolean("mirrored"))
        return Tensor(card.input).also { Cropper(card).crop(turned, region, it) }
    }

    private fun withCodec(codec: JSONObject): String {
        val card = JSONObject(crops.getJSONArray("cards").getJSONArray(0).getJSONObject(0).toString())
        val channels = if (codec.getString("name") == "udp_combined") 3 * 17 else 17
        card.getJSONObject("output").getJSONArray("shape").put(3, channels)
        return card.put("codec", codec).toString()
    }

    private companion object {
        /** The frame of the vectors; with a padded row, as cameras have them. */
        fun frame(crops: JSONObject, rotation: Int = 0, mirrored: Boolean = false): Frame {
            val (width, height) = crops.getInt("width") to crops.getInt("height")
            val rgb = Vectors.bytes(crops.getString("rgb"))
            val stride = 4 * width + 20
            val buffer = ByteBuffer.allocateDirect(height * stride)
            for (i in rgb.indices) {
                buffer.put(i / 3 / width * stride + i / 3 % width * 4 + i % 3, rgb[i])
            }
            return Frame().also { it.fill(buffer, width, height, stride, rotation, mirrored) }
        }
    }
}

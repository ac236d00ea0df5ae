package hrnet.core

import java.lang.management.ManagementFactory
import java.nio.ByteBuffer
import kotlin.math.abs
import kotlin.math.ln
import kotlin.math.roundToInt
import org.json.JSONArray
import org.json.JSONObject
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test

/** Several people: found by a detector now and then, followed between. */
class FollowerTest {
    private val poseJson = Vectors.read("crops").getJSONArray("cards").getJSONArray(0).getJSONObject(0)
    private val detectorJson = Vectors.read("detected").getJSONArray("cards").getJSONObject(0)
    private val card = Card.read(poseJson.toString())
    private val frame = Frame().also { it.fill(ByteBuffer.allocate(4 * 192 * 128), 192, 128) }

    @Test
    fun `people keep their ids from frame to frame, and new ones get new ids`() {
        val scene = Scene(detectorJson)
        val follower = follower(scene)
        scene.people = listOf(20 to 20, 100 to 40)
        assertEquals(listOf(1, 2), ids(follower, 0))
        for (frame in 1..9) assertEquals("$frame", listOf(1, 2), ids(follower, frame))
        assertEquals(1, scene.calls)
        scene.people = listOf(100 to 40, 20 to 20, 150 to 80) // in another order, and a third
        for (frame in 10..29) assertEquals("$frame", listOf(1, 2), ids(follower, frame))
        assertEquals(listOf(1, 2, 3), ids(follower, 30)) // the detector looks again
        assertEquals(2, scene.calls)
    }

    @Test
    fun `without anybody the detector looks again soon, and no pose is asked for`() {
        val scene = Scene(detectorJson)
        val follower = follower(scene)
        for (frame in 0..20) assertEquals(emptyList<Int>(), ids(follower, frame))
        assertEquals(3, scene.calls)
        assertEquals(0, scene.poses)
    }

    @Test
    fun `two boxes of one person become one person`() {
        val scene = Scene(detectorJson)
        val follower = follower(scene)
        scene.people = listOf(20 to 20)
        assertEquals(listOf(1), ids(follower, 0))
        for (frame in 1..29) ids(follower, frame)
        scene.people = listOf(20 to 20, 31 to 20) // an overlap below that of NMS, joints of the first
        scene.only = 0
        assertEquals(listOf(1), ids(follower, 30))
        assertEquals(2, scene.calls)
    }

    @Test
    fun `no more people than wanted are followed`() {
        val scene = Scene(detectorJson)
        scene.people = listOf(10 to 20, 60 to 20, 110 to 20, 160 to 20)
        val follower = Follower(estimator(scene), detector(scene), most = 2)
        assertEquals(2, ids(follower, 0).size)
        assertEquals(2, scene.poses)
    }

    @Test
    fun `without a detector the whole frame is searched for one person`() {
        val scene = Scene(detectorJson)
        scene.people = listOf(90 to 40)
        val follower = Follower(estimator(scene))
        val people = follower.follow(frame, 0.0)
        assertEquals(1, people.count)
        assertEquals(192f, people.poses[0].box.width)
        assertEquals(0, scene.calls)
    }

    @Test
    fun `no memory is asked for from frame to frame`() {
        val scene = Scene(detectorJson)
        scene.people = listOf(20 to 20, 100 to 40)
        val settings = Tracking(detectEvery = 3)
        val follower = Follower(estimator(scene), detector(scene), settings = settings)
        val threads = ManagementFactory.getThreadMXBean() as com.sun.management.ThreadMXBean
        for (i in 0 until 3000) follower.follow(frame, i / 30.0) // until compiled
        val before = threads.currentThreadAllocatedBytes
        for (i in 3000 until 3200) follower.follow(frame, i / 30.0)
        val bytes = threads.currentThreadAllocatedBytes - before
        assertTrue("$bytes bytes in 200 frames", bytes < 200 * 16)
    }

    @Test
    fun `a card of a detector that cannot be used is refused in a sentence`() {
        val wrong = mapOf<String, (JSONObject) -> Unit>(
            "task detection" to { it.put("task", "pose") },
            "head fcos or fcos_lite" to { it.put("head", "faster_rcnn") },
            "channels rgb" to { it.put("channels", "bgr") },
            "geometry continuous" to { it.put("geometry", "inclusive") },
            "a class person" to { it.put("classes", JSONArray(listOf("cat", "dog"))) },
            "class_logits_P3" to { it.remove("other_outputs") },
            "log_distances_P4" to { it.getJSONArray("other_outputs").rename("log_distances_P4") },
            "an input (1" to { it.getJSONObject("input").put("shape", JSONArray(listOf(1, 3))) },
            "positive stds" to { it.put("std", JSONArray(listOf(1, 0, 1))) },
            "an nms within" to { it.put("nms", 1.5) },
            "sides" to { it.put("sides", JSONArray(listOf(64))) },
        )
        DetectorCard.read(detectorJson.toString())
        for ((word, damage) in wrong) {
            val text = JSONObject(detectorJson.toString()).also(damage).toString()
            val error = assertThrows(word, BadCard::class.java) { DetectorCard.read(text) }
            assertTrue("$word: ${error.message}", word in error.message!! && "\n" !in error.message!!)
        }
        assertThrows(BadCard::class.java) { DetectorCard.read("{") }
        assertTrue(DetectorCard.isOne(detectorJson.toString()) && !DetectorCard.isOne(poseJson.toString()))
    }

    @Test
    fun `maps that are no numbers are refused`() {
        val scene = Scene(detectorJson)
        for (kind in 0..2) {
            scene.broken = kind
            scene.people = listOf(20 to 20)
            assertThrows(BadTensor::class.java) { detector(scene).find(frame) }
        }
    }

    private fun ids(follower: Follower, frame: Int) =
        follower.follow(this.frame, frame / 30.0).run { ids.take(count).sorted() }

    private fun follower(scene: Scene) = Follower(estimator(scene), detector(scene))

    private fun estimator(scene: Scene) =
        PoseEstimator(card, scene.pose).also { scene.region = it.region }

    private fun detector(scene: Scene) = PersonDetector(scene.card, scene.boxes)

    private fun JSONArray.rename(name: String) =
        objects().first { it.getString("name") == name }.put("name", "other")

    /** Two networks that see people of 24 x 36 pixels where a test puts them; without memory. */
    private class Scene(json: JSONObject) {
        val card = DetectorCard.read(json.toString())
        var calls = 0
        var poses = 0
        var broken = -1
        var only = -1 // the person whose joints every crop shows
        lateinit var region: Region
        private val maps = Array(card.outputs.size) { FloatArray(card.outputs[it].count) }
        private var corners = IntArray(0)

        var people = emptyList<Pair<Int, Int>>()
            set(value) {
                field = value
                corners = value.flatMap { it.toList() }.toIntArray()
                draw()
            }

        init {
            draw()
        }

        /** The frame is 192 x 128 and the input 96 x 64: the point of a person is in the middle. */
        private fun draw() {
            maps.forEachIndexed { i, map -> map.fill(if (i % 3 == 0) -9f else 0f) }
            for ((left, top) in people) {
                val point = (top + 18) / 16 * 12 + (left + 12) / 16
                val x = point % 12 * 8 + 4 - left / 2f
                val y = point / 12 * 8 + 4 - top / 2f
                maps[0][point] = 4f
                maps[2][point] = 4f
                floatArrayOf(x, y, 12 - x, 18 - y).forEachIndexed { side, length ->
                    maps[1][4 * point + side] = ln(length)
                }
                if (broken >= 0) maps[broken][point * if (broken == 1) 4 else 1] = Float.NaN
            }
        }

        val boxes = model { outputs ->
            calls++
            for (i in maps.indices) maps[i].copyInto(outputs[i].floats)
        }

        /** Seventeen joints of the person in the middle of the crop. */
        val pose = model { outputs ->
            poses++
            outputs[0].floats.fill(0f)
            val person = nearest()
            for (k in 0 until 17) {
                val x = corners[2 * person] + 6f * (k % 4) + 3
                val y = corners[2 * person + 1] + 7f * (k / 4) + 4
                val column = ((x - region.shiftX) / region.scaleX / STRIDE).roundToInt()
                val row = ((y - region.shiftY) / region.scaleY / STRIDE).roundToInt()
                if (column in 0..5 && row in 0..7) outputs[0].floats[(row * 6 + column) * 17 + k] = 0.8f
            }
        }

        private fun nearest(): Int {
            if (only >= 0) return only
            val x = region.shiftX + 12 * region.scaleX - 12
            val y = region.shiftY + 16 * region.scaleY - 18
            var best = 0
            for (i in 0 until corners.size / 2) if (distance(i, x, y) < distance(best, x, y)) best = i
            return best
        }

        private fun distance(i: Int, x: Float, y: Float) = abs(corners[2 * i] - x) + abs(corners[2 * i + 1] - y)

        private fun model(answer: (Array<Tensor>) -> Unit) = object : Model {
            override val runsOn = "a test"

            override fun run(input: Tensor, outputs: Array<Tensor>) = answer(outputs)

            override fun close() = Unit
        }
    }
}

package hrnet.core

/** One person: K keypoints (x, y) in pixels of the upright frame, their scores, and the box looked at. */
class Pose(count: Int) {
    val points = FloatArray(2 * count)
    val scores = FloatArray(count)
    val box = Box()

    /** Mean of the scores above 0.2, as in COCO's results; 0 if there is none. */
    val score: Float
        get() {
            var sum = 0.0
            var seen = 0
            for (score in scores) {
                if (score > 0.2f) {
                    sum += score
                    seen++
                }
            }
            return if (seen == 0) 0f else (sum / seen).toFloat()
        }

    fun set(other: Pose) {
        other.points.copyInto(points)
        other.scores.copyInto(scores)
        box.set(other.box)
    }
}

/** From a frame and a box to a pose; makes no new objects once built. For one thread. */
class PoseEstimator(val card: Card, val model: Model, val latency: Latency = Latency()) {
    val input = Tensor(card.input)
    val output = Tensor(card.output)
    val region = Region(card)
    private val outputs = arrayOf(output)
    private val cropper = Cropper(card)
    private val maps = FloatArray(card.output.count)
    private val decoder =
        card.codec.decoder(card.output.shape[1], card.output.shape[2], card.keypoints.count)

    /** Writes the pose of the person in [box] to [pose]. Throws [BadTensor] and [ModelFailed]. */
    fun estimate(frame: Frame, box: Box, pose: Pose) {
        val start = System.nanoTime()
        region.around(box)
        cropper.crop(frame, region, input)
        val cropped = System.nanoTime()
        model.run(input, outputs)
        val answered = System.nanoTime()
        decode(pose)
        pose.box.set(box)
        latency.add(Stage.CROP, cropped - start)
        latency.add(Stage.NETWORK, answered - cropped)
        latency.add(Stage.DECODE, System.nanoTime() - answered)
    }

    private fun decode(pose: Pose) {
        output.dequantize(maps)
        decoder.decode(maps, pose.points, pose.scores)
        val points = pose.points
        for (k in pose.scores.indices) {
            points[2 * k] = region.scaleX * points[2 * k] + region.shiftX
            points[2 * k + 1] = region.scaleY * points[2 * k + 1] + region.shiftY
        }
    }
}

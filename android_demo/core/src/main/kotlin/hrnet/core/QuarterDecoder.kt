package hrnet.core

import kotlin.math.sign

/** `MSRA` and `Face` of `hrnet_tf/codecs`: maxima from row and column [first] on move a quarter. */
class QuarterDecoder(
    height: Int,
    width: Int,
    count: Int,
    private val first: Int,
    private val shift: Float,
) : Decoder(height, width, count) {
    override fun decode(maps: FloatArray, points: FloatArray, scores: FloatArray) {
        peaks.find(maps)
        for (k in 0 until count) {
            val x = peaks.x[k]
            val y = peaks.y[k]
            var stepX = 0f
            var stepY = 0f
            if (x >= first && y >= first && x < width - 1 && y < height - 1) {
                val here = (y * width + x) * count + k
                stepX = 0.25f * sign(maps[here + count] - maps[here - count])
                stepY = 0.25f * sign(maps[here + width * count] - maps[here - width * count])
            }
            scores[k] = peaks.scores[k]
            place(points, k, scores[k] > 0, x + stepX + shift, y + stepY + shift)
        }
    }
}

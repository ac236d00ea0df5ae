package hrnet.core

import kotlin.math.ln

private const val RIDGE = 1.1920929e-7f // of single precision, as mmpose adds it

/** Coordinates between the centres of the outermost pixels. */
abstract class AlignedDecoder(height: Int, width: Int, count: Int) : Decoder(height, width, count) {
    override val perX = (STRIDE * width.toFloat() - 1) / (width - 1)
    override val perY = (STRIDE * height.toFloat() - 1) / (height - 1)
}

/** `UDP` of `hrnet_tf/codecs`. */
class UdpDecoder(height: Int, width: Int, count: Int, kernel: Int) : AlignedDecoder(height, width, count) {
    private val patch = BlurredPatch(height, width, count, reach = 1, kernel)
    private val newton = Newton()

    override fun decode(maps: FloatArray, points: FloatArray, scores: FloatArray) {
        peaks.find(maps)
        for (k in 0 until count) {
            scores[k] = peaks.scores[k]
            patch.read(maps, k, peaks.x[k], peaks.y[k], scores[k])
            step()
            place(points, k, scores[k] > 0, peaks.x[k] + newton.x, peaks.y[k] + newton.y)
        }
    }

    private fun step() {
        val centre = log(0, 0)
        newton.step(
            dx = 0.5f * (log(1, 0) - log(-1, 0)),
            dy = 0.5f * (log(0, 1) - log(0, -1)),
            dxx = log(1, 0) - 2 * centre + log(-1, 0),
            dyy = log(0, 1) - 2 * centre + log(0, -1),
            dxy = 0.5f * (log(-1, -1) - log(0, -1) - log(-1, 0) + 2 * centre - log(1, 0) - log(0, 1) + log(1, 1)),
            ridge = RIDGE,
        )
    }

    private fun log(x: Int, y: Int) = ln(patch.values[(y + 1) * 3 + x + 1].coerceIn(1e-3f, 50f))
}

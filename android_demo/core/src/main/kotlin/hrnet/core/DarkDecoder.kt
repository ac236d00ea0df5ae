package hrnet.core

import kotlin.math.ln

/** `DARK` of `hrnet_tf/codecs`; its second differences are taken two pixels apart. */
class DarkDecoder(height: Int, width: Int, count: Int, kernel: Int) : Decoder(height, width, count) {
    private val patch = BlurredPatch(height, width, count, reach = 2, kernel)
    private val newton = Newton()

    override fun decode(maps: FloatArray, points: FloatArray, scores: FloatArray) {
        peaks.find(maps)
        for (k in 0 until count) {
            val x = peaks.x[k]
            val y = peaks.y[k]
            scores[k] = peaks.scores[k]
            newton.x = 0f
            newton.y = 0f
            val inner = x > 1 && y > 1 && x < width - 2 && y < height - 2
            if (scores[k] > 0 && inner) {
                patch.read(maps, k, x, y, scores[k])
                step()
            }
            place(points, k, scores[k] > 0, x + newton.x, y + newton.y)
        }
    }

    private fun step() {
        val centre = log(0, 0)
        newton.step(
            dx = 0.5f * (log(1, 0) - log(-1, 0)),
            dy = 0.5f * (log(0, 1) - log(0, -1)),
            dxx = 0.25f * (log(2, 0) - 2 * centre + log(-2, 0)),
            dyy = 0.25f * (log(0, 2) - 2 * centre + log(0, -2)),
            dxy = 0.25f * (log(1, 1) - log(-1, 1) - log(1, -1) + log(-1, -1)),
        )
    }

    private fun log(x: Int, y: Int) = ln(patch.values[(y + 2) * 5 + x + 2].coerceAtLeast(1e-10f))
}

package hrnet.core

import kotlin.math.PI
import kotlin.math.sqrt

/**
 * The One-Euro filter (Casiez et al., CHI 2012); speeds count in sizes of the person.
 *
 * @property minCutoff Hz; the lower, the calmer are joints at rest.
 * @property beta Hz per (size of the person / second); the higher, the less do quick joints lag.
 * @property speedCutoff Hz, for the speed itself.
 */
class OneEuro(val minCutoff: Double = 1.2, val beta: Double = 20.0, val speedCutoff: Double = 1.0) {
    /**
     * One step for a joint whose place in the arrays is [i], [i] + 1: [errorX] and [errorY] are what
     * is new less what is smooth, in pixels, [speeds] pixels per second.
     */
    fun step(
        smooth: DoubleArray,
        speeds: DoubleArray,
        i: Int,
        errorX: Double,
        errorY: Double,
        seconds: Double,
        size: Double,
    ) {
        val quick = share(speedCutoff, seconds)
        speeds[i] += quick * (errorX / seconds - speeds[i])
        speeds[i + 1] += quick * (errorY / seconds - speeds[i + 1])
        val speed = sqrt(speeds[i] * speeds[i] + speeds[i + 1] * speeds[i + 1]) / size
        val share = share(minCutoff + beta * speed, seconds)
        smooth[i] += errorX * share
        smooth[i + 1] += errorY * share
    }
}

/** How much of the new a low-pass filter takes: [cutoff] in Hz. */
internal fun share(cutoff: Double, seconds: Double) = 1 / (1 + 1 / (2 * PI * cutoff * seconds))

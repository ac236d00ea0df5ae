package hrnet.core

import kotlin.math.exp

/** Weights of OpenCV's Gaussian of this odd size; it derives sigma from the size. */
fun gaussian(size: Int): FloatArray {
    SMALL[size]?.let { return it }
    val sigma = 0.3 * ((size - 1) / 2.0 - 1) + 0.8
    val taps = DoubleArray(size) { exp(-(it - size / 2.0 + 0.5).let { x -> x * x } / (2 * sigma * sigma)) }
    return FloatArray(size) { (taps[it] / taps.sum()).toFloat() }
}

private val SMALL = mapOf(
    1 to floatArrayOf(1f),
    3 to floatArrayOf(0.25f, 0.5f, 0.25f),
    5 to floatArrayOf(0.0625f, 0.25f, 0.375f, 0.25f, 0.0625f),
    7 to floatArrayOf(0.03125f, 0.109375f, 0.21875f, 0.28125f, 0.21875f, 0.109375f, 0.03125f),
    9 to FloatArray(9) { floatArrayOf(4f, 13f, 30f, 51f, 60f, 51f, 30f, 13f, 4f)[it] / 256 },
)

/**
 * The (2 [reach] + 1)^2 values around a maximum of the blurred map, as logarithms can take them.
 *
 * Zeros lie outside the map; beyond the border the last row or column of the blurred map repeats.
 * The patch is rescaled to the old maximum.
 */
class BlurredPatch(
    private val height: Int,
    private val width: Int,
    private val count: Int,
    private val reach: Int,
    kernel: Int,
) {
    val side = 2 * reach + 1
    val values = FloatArray(side * side)
    private val taps = gaussian(kernel)
    private val half = kernel / 2
    private val column = FloatArray(side + 2 * half)

    fun read(maps: FloatArray, k: Int, x: Int, y: Int, score: Float) {
        var highest = 1e-12f
        for (row in 0 until side) {
            val centre = (y + row - reach).coerceIn(0, height - 1)
            for (i in column.indices) column[i] = vertical(maps, k, x - reach - half + i, centre)
            for (i in 0 until side) {
                val left = (x + i - reach).coerceIn(0, width - 1) - (x - reach)
                var sum = 0f
                for (t in taps.indices) sum += taps[t] * column[left + t]
                values[row * side + i] = sum
                if (sum > highest) highest = sum
            }
        }
        val factor = score / highest
        for (i in values.indices) values[i] *= factor
    }

    private fun vertical(maps: FloatArray, k: Int, x: Int, centre: Int): Float {
        if (x < 0 || x >= width) return 0f
        var sum = 0f
        for (t in taps.indices) {
            val y = centre + t - half
            if (y in 0 until height) sum += taps[t] * maps[(y * width + x) * count + k]
        }
        return sum
    }
}

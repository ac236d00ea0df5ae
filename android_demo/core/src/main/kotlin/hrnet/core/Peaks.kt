package hrnet.core

/** The first maximum, in reading order, of each of [count] maps; the channels are last. */
class Peaks(private val height: Int, private val width: Int, private val count: Int) {
    val x = IntArray(count)
    val y = IntArray(count)
    val scores = FloatArray(count)
    private val pixels = IntArray(count)

    /** Throws [BadTensor] for infinite numbers and such that are none. */
    fun find(maps: FloatArray) {
        scores.fill(Float.NEGATIVE_INFINITY)
        for (pixel in 0 until height * width) {
            val first = pixel * count
            for (k in 0 until count) {
                val value = maps[first + k]
                // So and not the other way round: a NaN comes in, and is seen below.
                if (!(value <= scores[k])) {
                    if (!(value <= Float.MAX_VALUE)) refuse(value)
                    scores[k] = value
                    pixels[k] = pixel
                }
            }
        }
        for (k in 0 until count) {
            if (scores[k] == Float.NEGATIVE_INFINITY) refuse(scores[k])
            x[k] = pixels[k] % width
            y[k] = pixels[k] / width
        }
    }

    private fun refuse(value: Float): Nothing =
        throw BadTensor("The model returned $value in its heat maps. Try it on the CPU.")
}

package hrnet.core

/** `UDPCombined` of `hrnet_tf/codecs`: the peak of a blurred disc, and the offsets found there. */
class OffsetDecoder(height: Int, width: Int, count: Int, radiusFactor: Float, kernel: Int) :
    AlignedDecoder(height, width, count) {
    private val radius = radiusFactor * maxOf(height, width)
    private val taps = gaussian(2 * kernel + 1)
    private val half = kernel
    private val rows = FloatArray(height * width * count)
    private val discs = FloatArray(height * width * count)

    override fun decode(maps: FloatArray, points: FloatArray, scores: FloatArray) {
        blur(maps)
        peaks.find(discs)
        for (k in 0 until count) {
            val x = peaks.x[k]
            val y = peaks.y[k]
            val here = ((y * width + x) * count + k) * 3
            scores[k] = peaks.scores[k]
            place(points, k, scores[k] > 0, x + radius * maps[here + 1], y + radius * maps[here + 2])
        }
    }

    private fun blur(maps: FloatArray) {
        rows.fill(0f)
        discs.fill(0f)
        for (y in 0 until height) for (t in taps.indices) {
            val from = reflected(y + t - half, height) * width * count
            val to = y * width * count
            for (i in 0 until width * count) rows[to + i] += taps[t] * maps[3 * (from + i)]
        }
        for (x in 0 until width) for (t in taps.indices) {
            val from = reflected(x + t - half, width) * count
            for (y in 0 until height) {
                val row = y * width * count
                for (k in 0 until count) discs[row + x * count + k] += taps[t] * rows[row + from + k]
            }
        }
    }

    /** A position outside the map mirrored into it, without repeating the border. */
    private fun reflected(position: Int, size: Int): Int {
        var at = position
        while (at < 0 || at >= size) at = if (at < 0) -at else 2 * (size - 1) - at
        return at
    }
}

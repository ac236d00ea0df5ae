package hrnet.core

/** Crop pixels per heat map pixel. */
const val STRIDE = 4

/**
 * How keypoints are read from heat maps; the codecs of `hrnet_tf/codecs`.
 *
 * @property channels of the heat maps of one keypoint.
 * @property aligned crops are made by UDP's matrix.
 */
sealed class Codec(val channels: Int, val aligned: Boolean, open val blurKernel: Int = 1) {
    /** Quarter of a pixel towards the higher neighbour (Sun et al., CVPR 2019). */
    data object Msra : Codec(1, false)

    /** The same, and half a pixel: the original face tools cut coordinates down. */
    data object Face : Codec(1, false)

    /** A second-order step on the blurred logarithm (Zhang et al., CVPR 2020). */
    data class Dark(override val blurKernel: Int) : Codec(1, false, blurKernel)

    /** The same on 3x3 pixels, for coordinates between pixel centres (Huang et al., CVPR 2020). */
    data class Udp(override val blurKernel: Int) : Codec(1, true, blurKernel)

    /** A disc and two maps of offsets to its centre for each keypoint (Huang et al.). */
    data class UdpCombined(val radiusFactor: Float, override val blurKernel: Int) :
        Codec(3, true, blurKernel)

    /** What reads heat maps of this size, as often as needed without new memory. */
    fun decoder(height: Int, width: Int, keypoints: Int): Decoder = when (this) {
        Msra -> QuarterDecoder(height, width, keypoints, first = 2, shift = 0f)
        Face -> QuarterDecoder(height, width, keypoints, first = 1, shift = 0.5f)
        is Dark -> DarkDecoder(height, width, keypoints, blurKernel)
        is Udp -> UdpDecoder(height, width, keypoints, blurKernel)
        is UdpCombined -> OffsetDecoder(height, width, keypoints, radiusFactor, blurKernel)
    }
}

/** Reads heat maps (height, width, channels * K), the channels last. */
abstract class Decoder(protected val height: Int, protected val width: Int, protected val count: Int) {
    protected val peaks = Peaks(height, width, count)

    /**
     * Writes K points (x, y) in crop pixels and their scores, the maxima of the maps.
     *
     * A map without a positive value gives (0, 0). Throws [BadTensor] for numbers that are none.
     */
    abstract fun decode(maps: FloatArray, points: FloatArray, scores: FloatArray)

    /** Notes keypoint [k] at a position in heat map pixels. */
    protected fun place(points: FloatArray, k: Int, seen: Boolean, x: Float, y: Float) {
        points[2 * k] = if (seen) x * perX else 0f
        points[2 * k + 1] = if (seen) y * perY else 0f
    }

    /** Crop pixels per heat map pixel. */
    protected open val perX get() = STRIDE.toFloat()
    protected open val perY get() = STRIDE.toFloat()
}

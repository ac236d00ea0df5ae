package hrnet.core

/**
 * Fits whole frames into the input of a detector: `prepare` of `hrnet_tf/tasks/detection/prepare.py`.
 *
 * The frame keeps its ratio and lies in the top left corner; the rest is 0 after normalisation.
 * Python rounds as OpenCV does, in whole numbers; the grey levels here differ by at most 1.
 */
class Letterbox(private val card: DetectorCard) {
    /** The size of the frame in the input, and its pixels per pixel of the frame. */
    var width = 0
        private set
    var height = 0
        private set
    val scaleX get() = width.toFloat() / frameWidth
    val scaleY get() = height.toFloat() / frameHeight

    private val resampler = Resampler(card.mean, card.std, card.input)
    private var frameWidth = 0
    private var frameHeight = 0

    /** Writes the detector's input for [frame]. */
    fun fit(frame: Frame, input: Tensor) {
        if (frame.width != frameWidth || frame.height != frameHeight) resampler.clear(input)
        frameWidth = frame.width
        frameHeight = frame.height
        val factor = factor(frameWidth, frameHeight)
        width = maxOf((frameWidth * factor + 0.5).toInt(), 1)
        height = maxOf((frameHeight * factor + 0.5).toInt(), 1)
        resampler.columns.fit(width, frameWidth, frame.stepX)
        resampler.rows.fit(height, frameHeight, frame.stepY)
        resampler.draw(frame, input)
    }

    private fun factor(width: Int, height: Int): Double {
        val long = maxOf(card.sides[0], card.sides[1]).toDouble() / maxOf(width, height)
        val short = minOf(card.sides[0], card.sides[1]).toDouble() / minOf(width, height)
        val input = minOf(resampler.width.toDouble() / width, resampler.height.toDouble() / height)
        return minOf(long, short, input)
    }
}

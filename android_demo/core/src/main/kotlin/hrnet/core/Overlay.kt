package hrnet.core

/**
 * From pixels of the upright frame to those of a view that shows it: x * [scaleX] + [shiftX].
 *
 * A frame that fills the view loses a margin, one that fits leaves one. Pixel centres of a frame are
 * at whole numbers, those of a view half a pixel further.
 */
class Overlay {
    var scaleX = 1f
        private set
    var scaleY = 1f
        private set
    var shiftX = 0f
        private set
    var shiftY = 0f
        private set

    /**
     * @param fill whether the frame covers the view, or lies within it.
     * @param mirrored whether the view shows the frame with left and right exchanged.
     */
    fun fit(frameWidth: Int, frameHeight: Int, viewWidth: Int, viewHeight: Int, fill: Boolean, mirrored: Boolean) {
        val x = viewWidth.toFloat() / frameWidth
        val y = viewHeight.toFloat() / frameHeight
        val scale = if (fill) maxOf(x, y) else minOf(x, y)
        scaleX = if (mirrored) -scale else scale
        scaleY = scale
        shiftX = viewWidth / 2f - scaleX * (frameWidth / 2f - 0.5f)
        shiftY = viewHeight / 2f - scaleY * (frameHeight / 2f - 0.5f)
    }

    fun x(frameX: Float) = frameX * scaleX + shiftX

    fun y(frameY: Float) = frameY * scaleY + shiftY
}

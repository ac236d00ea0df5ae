package hrnet.core

/** A box in pixels of the upright frame; pixel centres are at whole numbers. */
class Box(var x: Float = 0f, var y: Float = 0f, var width: Float = 0f, var height: Float = 0f) {
    fun set(x: Float, y: Float, width: Float, height: Float) {
        this.x = x
        this.y = y
        this.width = width
        this.height = height
    }

    fun set(other: Box) = set(other.x, other.y, other.width, other.height)
}

/**
 * From the pixels of a crop to those of the frame: x * [scaleX] + [shiftX].
 *
 * `center_scale`, `affine` and `invert` of `hrnet_tf/geometry.py` in one, step by step in the same
 * single precision. Frames are turned by [Frame], so the matrix never turns.
 */
class Region(private val card: Card) {
    var scaleX = 1f
        private set
    var scaleY = 1f
        private set
    var shiftX = 0f
        private set
    var shiftY = 0f
        private set

    fun around(box: Box) {
        val rows = card.input.shape[1]
        val columns = card.input.shape[2]
        val aspect = columns.toDouble() / rows
        val centerX = box.x + 0.5f * box.width
        val centerY = box.y + 0.5f * box.height
        val width = maxOf(box.width, box.height * aspect.toFloat()) * card.padding
        val height = maxOf(box.height, box.width * (1 / aspect).toFloat()) * card.padding
        val aligned = if (card.codec.aligned) 1 else 0
        val outX = (columns - aligned).toFloat()
        val outY = (rows - aligned).toFloat()
        val zoomX = outX / width.coerceAtLeast(SMALLEST)
        val zoomY = if (card.codec.aligned) outY / height.coerceAtLeast(SMALLEST) else zoomX
        val area = zoomX * zoomY
        scaleX = zoomY / area
        scaleY = zoomX / area
        shiftX = -(scaleX * (outX / 2 - zoomX * centerX))
        shiftY = -(scaleY * (outY / 2 - zoomY * centerY))
    }

    private companion object {
        const val SMALLEST = 1e-6f // pixels; keeps the matrix of an empty box finite
    }
}

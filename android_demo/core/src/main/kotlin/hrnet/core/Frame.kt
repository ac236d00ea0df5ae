package hrnet.core

import java.nio.Buffer
import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.nio.IntBuffer

/**
 * A copy of one camera image or photo, RGBA; its memory is used again for the next.
 *
 * The buffer lies as the sensor sees; [width] and [height], and all coordinates elsewhere, are those
 * of the upright image: the buffer turned clockwise by [rotation] degrees and then, if [mirrored],
 * with left and right exchanged. Nothing is turned in memory: whoever reads steps through the buffer
 * another way.
 */
class Frame {
    /** Red in the lowest byte, then green, blue, alpha. */
    var pixels = IntArray(0)
        private set
    var bufferWidth = 0
        private set
    var bufferHeight = 0
        private set
    var rotation = 0
        private set
    var mirrored = false
        private set
    val width get() = if (rotation % 180 == 0) bufferWidth else bufferHeight
    val height get() = if (rotation % 180 == 0) bufferHeight else bufferWidth

    /** Pixels in the buffer from one upright column to the next, from row to row, and to the first. */
    internal var stepX = 0
    internal var stepY = 0
    internal var origin = 0

    private var viewed: ByteBuffer? = null
    private var view = IntBuffer.allocate(0)

    /**
     * Copies an image, [rowStride] bytes from row to row.
     *
     * Throws [BadFrame] if it has no pixels, if the buffer is too short for it, or if the rotation is
     * none of 0, 90, 180, 270.
     */
    fun fill(
        source: ByteBuffer,
        width: Int,
        height: Int,
        rowStride: Int = 4 * width,
        rotation: Int = 0,
        mirrored: Boolean = false,
    ) {
        check(source, width, height, rowStride, rotation)
        if (pixels.size != width * height) pixels = IntArray(width * height)
        val rows = view(source)
        val cursor: Buffer = rows // whose methods Android 8 and 9 have; they lack IntBuffer's own
        for (y in 0 until height) {
            cursor.position(y * (rowStride / 4))
            rows.get(pixels, y * width, width)
        }
        bufferWidth = width
        bufferHeight = height
        this.rotation = rotation
        this.mirrored = mirrored
        orient()
    }

    /** The buffer as pixels; kept, since a camera hands over the same few again and again. */
    private fun view(source: ByteBuffer): IntBuffer {
        if (source !== viewed) {
            viewed = source
            val whole = source.duplicate()
            (whole as Buffer).clear()
            view = whole.order(ByteOrder.LITTLE_ENDIAN).asIntBuffer()
        }
        return view
    }

    private fun check(source: ByteBuffer, width: Int, height: Int, rowStride: Int, rotation: Int) {
        val needed = (height - 1L) * rowStride + 4L * width
        val whole = rowStride % 4 == 0 && rowStride >= 4 * width
        if (width < 1 || height < 1 || !whole || source.capacity() < needed) {
            throw BadFrame(
                "The image must have pixels and a buffer that holds them. Received: $width x $height, " +
                    "rows of $rowStride bytes, a buffer of ${source.capacity()}.",
            )
        }
        if (rotation % 90 != 0 || rotation !in 0..270) {
            throw BadFrame("The rotation must be 0, 90, 180 or 270 degrees. Received: $rotation.")
        }
    }

    private fun orient() {
        val last = bufferWidth * bufferHeight - 1
        when (rotation) {
            0 -> steps(0, 1, bufferWidth)
            90 -> steps(last - bufferWidth + 1, -bufferWidth, 1)
            180 -> steps(last, -1, -bufferWidth)
            else -> steps(bufferWidth - 1, bufferWidth, -1)
        }
        if (mirrored) steps(origin + (width - 1) * stepX, -stepX, stepY)
    }

    private fun steps(origin: Int, stepX: Int, stepY: Int) {
        this.origin = origin
        this.stepX = stepX
        this.stepY = stepY
    }
}

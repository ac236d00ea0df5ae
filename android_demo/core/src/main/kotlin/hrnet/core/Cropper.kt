package hrnet.core

import kotlin.math.floor

private const val TO_WHOLE = 12582912f // added, it leaves no place for a fraction; ties go to even
private const val NONE = Int.MIN_VALUE

/**
 * Cuts a region out of a frame: `crop` of `hrnet_tf/geometry.py` and the normalisation of the card.
 *
 * Bilinear, zero outside, rounded to whole grey levels, in the single precision of Python. The map of
 * a region scales but does not turn, so that lines of the buffer are resampled first, each once, and
 * then mixed; they run along the upright image's rows, or its columns if the camera lies on its side.
 * Networks of bytes get theirs from a table: what Python would normalise and quantise each level to.
 */
class Cropper(card: Card) {
    private val height = card.input.shape[1]
    private val width = card.input.shape[2]
    private val dtype = card.input.dtype
    private val floats = Array(3) { c -> FloatArray(256) { (it / 255f - card.mean[c]) / card.std[c] } }
    private val bytes = Array(3) { c -> ByteArray(256) { quantized(floats[c][it], card.input) } }

    private val rows = Line(width)
    private val columns = Line(height)

    /** Writes the network's input for what [region] shows of [frame]. */
    fun crop(frame: Frame, region: Region, input: Tensor) {
        rows.place(region.scaleX, region.shiftX, frame.width, frame.stepX)
        columns.place(region.scaleY, region.shiftY, frame.height, frame.stepY)
        if (frame.rotation % 180 == 0) {
            cut(frame, rows, columns, 3, 3 * width, input)
        } else {
            cut(frame, columns, rows, 3 * width, 3, input)
        }
    }

    /** Mixes lines [along] the buffer [across] them; steps are those of the output. */
    private fun cut(frame: Frame, along: Line, across: Line, step: Int, lineStep: Int, input: Tensor) {
        along.above.forget()
        along.below.forget()
        for (i in 0 until across.size) {
            if (along.below.start == across.first[i] && along.below.mask == across.firstMask[i]) along.swap()
            along.resample(frame, across.first[i], across.firstMask[i], along.above)
            along.resample(frame, across.second[i], across.secondMask[i], along.below)
            if (dtype == DType.FLOAT32) {
                mix(along, across.share[i], input.floats, i * lineStep, step)
            } else {
                mix(along, across.share[i], input.bytes, i * lineStep, step)
            }
        }
    }

    private fun mix(line: Line, share: Float, output: FloatArray, first: Int, step: Int) {
        val above = line.above.values
        val below = line.below.values
        var at = first
        for (u in 0 until line.size) {
            val i = 3 * u
            output[at] = floats[0][level(above[i], below[i], share)]
            output[at + 1] = floats[1][level(above[i + 1], below[i + 1], share)]
            output[at + 2] = floats[2][level(above[i + 2], below[i + 2], share)]
            at += step
        }
    }

    private fun mix(line: Line, share: Float, output: ByteArray, first: Int, step: Int) {
        val above = line.above.values
        val below = line.below.values
        var at = first
        for (u in 0 until line.size) {
            val i = 3 * u
            output[at] = bytes[0][level(above[i], below[i], share)]
            output[at + 1] = bytes[1][level(above[i + 1], below[i + 1], share)]
            output[at + 2] = bytes[2][level(above[i + 2], below[i + 2], share)]
            at += step
        }
    }

    /** The whole grey level between two: what stands in the lowest bits of the sum. */
    private fun level(above: Float, below: Float, share: Float) =
        (above + (below - above) * share + TO_WHOLE).toRawBits() and 255

    private companion object {
        fun quantized(value: Float, spec: TensorSpec): Byte {
            val whole = Math.rint((value / spec.scale).toDouble()).toInt() + spec.zeroPoint
            return when (spec.dtype) {
                DType.UINT8 -> whole.coerceIn(0, 255)
                else -> whole.coerceIn(-128, 127)
            }.toByte()
        }
    }
}

/** The pixels of the crop along one axis: between which two of the buffer each lies, and where. */
private class Line(val size: Int) {
    val first = IntArray(size)
    val second = IntArray(size)
    val firstMask = IntArray(size) // 0 outside the frame, else all bits
    val secondMask = IntArray(size)
    val share = FloatArray(size)
    var above = Values(3 * size)
        private set
    var below = Values(3 * size)
        private set

    /** [extent] pixels of the frame, [step] in the buffer from one to the next. */
    fun place(scale: Float, shift: Float, extent: Int, step: Int) {
        for (i in 0 until size) {
            val x = (scale * i + shift).coerceIn(-1f, extent.toFloat())
            val before = floor(x).toInt()
            share[i] = x - before
            first[i] = step * before.coerceIn(0, extent - 1)
            second[i] = step * (before + 1).coerceIn(0, extent - 1)
            firstMask[i] = if (before in 0 until extent) -1 else 0
            secondMask[i] = if (before + 1 in 0 until extent) -1 else 0
        }
    }

    fun swap() {
        above = below.also { below = above }
    }

    /** Makes [line] the colours between the pixels of the buffer's line that begins at [start]. */
    fun resample(frame: Frame, start: Int, mask: Int, line: Values) {
        if (line.start == start && line.mask == mask) return
        line.start = start
        line.mask = mask
        val values = line.values
        val pixels = frame.pixels
        val origin = frame.origin + start
        var at = 0
        for (i in 0 until size) {
            val p = pixels[origin + first[i]] and firstMask[i] and mask
            val q = pixels[origin + second[i]] and secondMask[i] and mask
            val share = share[i]
            val red = p and 255
            val green = p shr 8 and 255
            val blue = p shr 16 and 255
            values[at] = red + ((q and 255) - red) * share
            values[at + 1] = green + ((q shr 8 and 255) - green) * share
            values[at + 2] = blue + ((q shr 16 and 255) - blue) * share
            at += 3
        }
    }
}

/** A resampled line of the buffer, red, green and blue in turn. */
private class Values(size: Int) {
    val values = FloatArray(size)
    var start = NONE
    var mask = 0

    fun forget() {
        start = NONE
    }
}

package hrnet.core

import kotlin.math.floor

private const val TO_WHOLE = 12582912f // added, it leaves no place for a fraction; ties go to even
private const val NONE = Int.MIN_VALUE

/**
 * Writes the input of a network from a part of a frame: resampling and the normalisation of the card.
 *
 * Bilinear and rounded to whole grey levels, in the single precision of Python. The map to the frame
 * scales but does not turn, so that lines of the buffer are resampled first, each once, and then
 * mixed; they run along the upright image's rows, or its columns if the camera lies on its side.
 * Networks of bytes get theirs from a table: what Python would normalise and quantise each level to.
 */
internal class Resampler(mean: FloatArray, std: FloatArray, spec: TensorSpec) {
    val height = spec.shape[1]
    val width = spec.shape[2]

    /** Where the pixels of the input lie in the frame. */
    val columns = Line(width)
    val rows = Line(height)

    private val dtype = spec.dtype
    private val zero = quantized(0f, spec)
    private val floats = Array(3) { c -> FloatArray(256) { (it / 255f - mean[c]) / std[c] } }
    private val bytes = Array(3) { c -> ByteArray(256) { quantized(floats[c][it], spec) } }

    /** Writes the pixels that [columns] and [rows] place; the others of [input] stay as they are. */
    fun draw(frame: Frame, input: Tensor) {
        if (frame.rotation % 180 == 0) {
            cut(frame, columns, rows, 3, 3 * width, input)
        } else {
            cut(frame, rows, columns, 3 * width, 3, input)
        }
    }

    /** Makes all of [input] what a normalised 0 is. */
    fun clear(input: Tensor) {
        if (dtype == DType.FLOAT32) input.floats.fill(0f) else input.bytes.fill(zero)
    }

    /** Mixes lines [along] the buffer [across] them; steps are those of the output. */
    private fun cut(frame: Frame, along: Line, across: Line, step: Int, lineStep: Int, input: Tensor) {
        along.above.forget()
        along.below.forget()
        for (i in 0 until across.count) {
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
        for (u in 0 until line.count) {
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
        for (u in 0 until line.count) {
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

/** The pixels of the input along one axis: between which two of the buffer each lies, and where. */
internal class Line(private val size: Int) {
    /** The number of pixels that are placed. */
    var count = size
        private set
    val first = IntArray(size)
    val second = IntArray(size)
    val firstMask = IntArray(size) // 0 outside the frame, else all bits
    val secondMask = IntArray(size)
    val share = FloatArray(size)
    var above = Values(3 * size)
        private set
    var below = Values(3 * size)
        private set

    /** [extent] pixels of the frame, [step] in the buffer from one to the next; 0 lies outside. */
    fun place(scale: Float, shift: Float, extent: Int, step: Int) {
        count = size
        for (i in 0 until count) put(i, (scale * i + shift).coerceIn(-1f, extent.toFloat()), extent, step)
    }

    /** All pixels of the frame as the first [count] ones; at the borders the last pixel repeats. */
    fun fit(count: Int, extent: Int, step: Int) {
        this.count = count
        val scale = extent.toDouble() / count
        val last = extent - 1f
        for (i in 0 until count) put(i, ((i + 0.5) * scale - 0.5).toFloat().coerceIn(0f, last), extent, step)
    }

    private fun put(i: Int, x: Float, extent: Int, step: Int) {
        val before = floor(x).toInt()
        share[i] = x - before
        first[i] = step * before.coerceIn(0, extent - 1)
        second[i] = step * (before + 1).coerceIn(0, extent - 1)
        firstMask[i] = if (before in 0 until extent) -1 else 0
        secondMask[i] = if (before + 1 in 0 until extent) -1 else 0
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
        for (i in 0 until count) {
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
internal class Values(size: Int) {
    val values = FloatArray(size)
    var start = NONE
    var mask = 0

    fun forget() {
        start = NONE
    }
}

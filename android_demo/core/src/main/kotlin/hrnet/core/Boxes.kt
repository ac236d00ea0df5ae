package hrnet.core

/** Boxes with scores; the memory is used again for the next frame. */
class Boxes(val capacity: Int) {
    var count = 0
    val scores = FloatArray(capacity)

    /** Left, top, right and bottom of each box, in pixels. */
    val corners = FloatArray(4 * capacity)

    /** Writes box [i] to [box]. */
    fun get(i: Int, box: Box) {
        val left = corners[4 * i]
        val top = corners[4 * i + 1]
        box.set(left, top, corners[4 * i + 2] - left, corners[4 * i + 3] - top)
    }

    internal fun copy(other: Boxes, row: Int) {
        scores[count] = other.scores[row]
        other.corners.copyInto(corners, 4 * count, 4 * row, 4 * row + 4)
        count++
    }
}

/**
 * Orders numbers, the highest first, equal ones by their row; no memory from call to call.
 *
 * A number and its row are one long, so that sorting longs sorts both.
 */
internal class Order(capacity: Int) {
    private val keys = LongArray(capacity)
    var count = 0
        private set

    fun clear() {
        count = 0
    }

    fun add(value: Float, row: Int) {
        val bits = value.toRawBits()
        val rising = bits xor (bits shr 31 ushr 1) // in the order of the floats
        keys[count++] = (rising.inv().toLong() shl 32) or row.toLong()
    }

    fun sort() = keys.sort(0, count)

    /** The row of the number of this rank. */
    fun row(rank: Int) = keys[rank].toInt()
}

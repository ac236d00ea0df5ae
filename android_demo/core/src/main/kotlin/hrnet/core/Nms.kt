package hrnet.core

/** `nms` of `hrnet_tf/tasks/detection/nms.py`: of boxes that overlap, only the best one stays. */
internal class Nms(capacity: Int, threshold: Double) {
    private val order = Order(capacity)
    private val areas = FloatArray(capacity)
    private val share = (threshold / (1 + threshold)).toFloat()

    /** Writes the boxes that stay to [kept], best first, as many as it can hold. */
    fun choose(boxes: Boxes, kept: Boxes) {
        kept.count = 0
        order.clear()
        for (i in 0 until boxes.count) order.add(boxes.scores[i], i)
        order.sort()
        for (rank in 0 until boxes.count) {
            if (kept.count == kept.capacity) return
            val row = order.row(rank)
            val c = boxes.corners
            // IoU > t is: intersection > t / (1 + t) * (sum of both areas).
            val area = (c[4 * row + 2] - c[4 * row]) * (c[4 * row + 3] - c[4 * row + 1]) * share
            if (isFree(c, 4 * row, area, kept)) {
                areas[kept.count] = area
                kept.copy(boxes, row)
            }
        }
    }

    private fun isFree(c: FloatArray, at: Int, area: Float, kept: Boxes): Boolean {
        val k = kept.corners
        for (i in 0 until kept.count) {
            val width = minOf(c[at + 2], k[4 * i + 2]) - maxOf(c[at], k[4 * i])
            val height = minOf(c[at + 3], k[4 * i + 3]) - maxOf(c[at + 1], k[4 * i + 1])
            if (maxOf(width, 0f) * maxOf(height, 0f) > area + areas[i]) return false
        }
        return true
    }
}

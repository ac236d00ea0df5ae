package hrnet.core

import kotlin.math.exp

/**
 * Reads the maps of FCOS: `candidates` of `hrnet_tf/tasks/detection/fcos.py`, of people alone.
 *
 * [DetectorCard.outputs] says which tensors are what.
 */
internal class PointDecoder(private val card: DetectorCard) {
    /** The boxes before NMS, level by level, in pixels of the frame. */
    val candidates: Boxes

    private val maps = Array(card.outputs.size) { FloatArray(card.outputs[it].count) }
    private val order: Order
    private val least = card.leastLogit

    init {
        val points = List(card.outputs.size / 3) { maps[3 * it + 2].size }
        candidates = Boxes(points.sumOf { minOf(it, MOST) })
        order = Order(points.max())
    }

    /**
     * Makes the [candidates] of at least [leastScore].
     *
     * [letterbox] says where the frame lies in the input. Throws [BadTensor] for numbers that are none.
     */
    fun decode(outputs: Array<Tensor>, letterbox: Letterbox, leastScore: Float) {
        candidates.count = 0
        for (level in 0 until outputs.size / 3) {
            for (i in 3 * level until 3 * level + 3) outputs[i].dequantize(maps[i])
            rank(maps[3 * level])
            val columns = card.outputs[3 * level].shape[2]
            for (rank in 0 until minOf(order.count, MOST)) {
                add(level, order.row(rank), columns, letterbox, leastScore)
            }
        }
    }

    /** Orders the points of a level whose class is sure enough. */
    private fun rank(logits: FloatArray) {
        order.clear()
        val classes = card.classes
        for (point in 0 until logits.size / classes) {
            val logit = logits[point * classes + card.person]
            if (!(logit <= Float.MAX_VALUE)) refuse(logit)
            if (logit > least) order.add(logit, point)
        }
        order.sort()
    }

    private fun add(level: Int, point: Int, columns: Int, letterbox: Letterbox, leastScore: Float) {
        val centerness = maps[3 * level + 2][point]
        val score = sigmoid(maps[3 * level][point * card.classes + card.person]) * sigmoid(centerness)
        if (score.isNaN()) refuse(centerness)
        if (score < leastScore) return
        val stride = card.stride(level)
        val x = point % columns * stride + stride / 2f
        val y = point / columns * stride + stride / 2f
        val width = letterbox.width.toFloat()
        val height = letterbox.height.toFloat()
        val left = (x - distance(level, point, 0)).coerceIn(0f, width)
        val top = (y - distance(level, point, 1)).coerceIn(0f, height)
        val right = (x + distance(level, point, 2)).coerceIn(0f, width)
        val bottom = (y + distance(level, point, 3)).coerceIn(0f, height)
        if (!(right > left && bottom > top)) return
        val at = 4 * candidates.count
        candidates.corners[at] = left / letterbox.scaleX
        candidates.corners[at + 1] = top / letterbox.scaleY
        candidates.corners[at + 2] = right / letterbox.scaleX
        candidates.corners[at + 3] = bottom / letterbox.scaleY
        candidates.scores[candidates.count++] = score
    }

    /** Pixels of the input from the point to a side. */
    private fun distance(level: Int, point: Int, side: Int): Float {
        val log = maps[3 * level + 1][4 * point + side]
        if (log.isNaN()) refuse(log)
        return exp(minOf(log, FARTHEST))
    }

    private fun sigmoid(x: Float) = 1 / (1 + exp(-maxOf(x, -80f)))

    private fun refuse(value: Float): Nothing =
        throw BadTensor("The detector returned $value in its maps. Try it on the CPU.")

    private companion object {
        const val MOST = 1000 // candidates of a level
        const val FARTHEST = 20f // logarithm of pixels; float32 ends at e^88
    }
}

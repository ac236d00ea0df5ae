package hrnet.core

import kotlin.math.abs
import kotlin.math.exp

/** One person, as far as known at [time]; all joints move on with the person. Pixels and seconds. */
internal class Track(private val count: Int) {
    var time = 0.0
        private set
    var found = 0.0 // time of the last pose
        private set
    val smooth = DoubleArray(2 * count)
    private val points = DoubleArray(2 * count)
    private val speeds = DoubleArray(2 * count) // beside the person's own, of the filter
    private val lastSeen = DoubleArray(count)
    private val velocity = DoubleArray(2)
    private val course = DoubleArray(2) // the same over a longer time
    private val scores = FloatArray(count)
    private val spans = BooleanArray(count) // joints that span the box
    private val margins = DoubleArray(4) // box beyond them: left, top, right, bottom, in sizes
    private val lastBox = Box()
    private val candidate = Box()
    private val steady = BooleanArray(count)
    private val shift = DoubleArray(2)
    private val sorted = DoubleArray(count)

    fun start(pose: Pose, time: Double, settings: Tracking) {
        this.time = time
        for (i in points.indices) points[i] = pose.points[i].toDouble()
        points.copyInto(smooth)
        for (k in 0 until count) {
            lastSeen[k] = if (pose.scores[k] >= settings.seen) time else Double.NEGATIVE_INFINITY
        }
        speeds.fill(0.0)
        velocity.fill(0.0)
        course.fill(0.0)
        note(pose, settings)
        measureMargins(pose.box)
    }

    /** To where the person is expected at [now]. */
    fun move(now: Double, coast: Double) {
        if (found < time) {
            for (axis in 0..1) velocity[axis] = if (now - found <= coast) course[axis] else 0.0
        }
        for (i in points.indices) {
            val moved = velocity[i % 2] * (now - time)
            points[i] += moved
            smooth[i] += moved
        }
        time = now
    }

    /** Writes where to look at [now]; a box that trembles with the joints makes them tremble. */
    fun box(now: Double, box: Box) {
        val size = size()
        val moveX = velocity[0] * (now - time)
        val moveY = velocity[1] * (now - time)
        val left = low(0) + moveX - (size * margins[0] + 0.5 * abs(moveX))
        val top = low(1) + moveY - (size * margins[1] + 0.5 * abs(moveY))
        val right = high(0) + moveX + (size * margins[2] + 0.5 * abs(moveX))
        val bottom = high(1) + moveY + (size * margins[3] + 0.5 * abs(moveY))
        val width = maxOf(right - left, LEAST_SIZE)
        val height = maxOf(bottom - top, LEAST_SIZE)
        candidate.set(left.toFloat(), top.toFloat(), width.toFloat(), height.toFloat())
        box.set(if (overlap(candidate, lastBox) >= STILL) lastBox else candidate)
    }

    /** Keypoint similarity (OKS) of a pose with where the person is expected; sure joints count more. */
    fun likely(pose: Pose, sigmas: FloatArray): Double {
        val area = AREA * size() * size()
        var near = 0.0
        var weights = 0.0
        for (k in 0 until count) {
            val weight = minOf(scores[k], pose.scores[k]).coerceAtLeast(0f).toDouble()
            // The longer nobody has seen a person, the less is known of where.
            val sigma = sigmas[k] * (1 + 4 * (time - found))
            val x = pose.points[2 * k] - points[2 * k]
            val y = pose.points[2 * k + 1] - points[2 * k + 1]
            near += weight * exp(-(x * x + y * y) / (2 * sigma * 2 * sigma) / area / 2)
            weights += weight
        }
        return near / maxOf(weights, 1e-9)
    }

    /** Takes a pose of the person, [seconds] after the last frame. */
    fun follow(pose: Pose, seconds: Double, whole: Boolean, settings: Tracking) {
        var any = false
        for (k in 0 until count) {
            steady[k] = pose.scores[k] >= settings.seen && time - lastSeen[k] <= settings.hold
            any = any || steady[k]
        }
        shift.fill(0.0)
        if (any) learn(pose, seconds)
        for (k in 0 until count) for (i in 2 * k..2 * k + 1) {
            val seen = pose.scores[k] >= settings.seen
            points[i] = if (seen) pose.points[i].toDouble() else points[i] + shift[i % 2]
        }
        val size = size()
        for (k in 0 until count) smooth(pose, k, seconds, size, settings)
        note(pose, settings)
        if (whole) measureMargins(pose.box)
    }

    /** How the person moves: the median, since a person walks on while an arm waves. */
    private fun learn(pose: Pose, seconds: Double) {
        for (axis in 0..1) {
            var n = 0
            for (k in 0 until count) {
                if (steady[k]) sorted[n++] = pose.points[2 * k + axis] - points[2 * k + axis]
            }
            sorted.sort(0, n)
            shift[axis] = (sorted[(n - 1) / 2] + sorted[n / 2]) / 2
        }
        if (time - found >= 1.5 * seconds) return
        for (axis in 0..1) {
            velocity[axis] += share(1.0, seconds) * shift[axis] / seconds
            course[axis] += share(0.5, seconds) * (velocity[axis] - course[axis])
        }
    }

    private fun smooth(pose: Pose, k: Int, seconds: Double, size: Double, settings: Tracking) {
        val i = 2 * k
        val seen = pose.scores[k] >= settings.seen
        val euro = settings.smoothing
        val errorX = if (steady[k]) pose.points[i] - smooth[i] else 0.0
        val errorY = if (steady[k]) pose.points[i + 1] - smooth[i + 1] else 0.0
        if (seen && (!steady[k] || euro == null)) {
            euro?.step(smooth, speeds, i, 0.0, 0.0, seconds, size)
            smooth[i] = pose.points[i].toDouble()
            smooth[i + 1] = pose.points[i + 1].toDouble()
        } else {
            euro?.step(smooth, speeds, i, errorX, errorY, seconds, size)
        }
        if (seen) lastSeen[k] = time
    }

    /** What the next frames need to know of a pose. */
    private fun note(pose: Pose, settings: Tracking) {
        found = time
        pose.scores.copyInto(scores)
        lastBox.set(pose.box)
        var n = 0
        for (k in 0 until count) {
            spans[k] = time - lastSeen[k] <= settings.hold
            if (spans[k]) n++
        }
        if (n < 2) spans.fill(true) // too little to measure
    }

    private fun measureMargins(box: Box) {
        val size = size()
        margins[0] = low(0) - box.x
        margins[1] = low(1) - box.y
        margins[2] = box.x + box.width - high(0)
        margins[3] = box.y + box.height - high(1)
        for (i in margins.indices) margins[i] = (margins[i] / size).coerceIn(LEAST_MARGIN, MOST_MARGIN)
    }

    /** Longest side of what the joints span. */
    private fun size() = maxOf(high(0) - low(0), high(1) - low(1), LEAST_SIZE)

    private fun low(axis: Int): Double {
        var low = Double.POSITIVE_INFINITY
        for (k in 0 until count) if (spans[k]) low = minOf(low, points[2 * k + axis])
        return low
    }

    private fun high(axis: Int): Double {
        var high = Double.NEGATIVE_INFINITY
        for (k in 0 until count) if (spans[k]) high = maxOf(high, points[2 * k + axis])
        return high
    }

    private companion object {
        const val AREA = 0.25 // of a person of size 1: COCO's standing people
        const val STILL = 0.93 // overlap with the last box from which that one stays
        const val LEAST_SIZE = 12.0 // pixels
        const val LEAST_MARGIN = 0.05 // between joints and box, in sizes
        const val MOST_MARGIN = 0.3
    }
}

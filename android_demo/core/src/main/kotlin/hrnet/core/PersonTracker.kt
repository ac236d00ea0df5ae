package hrnet.core

import kotlin.math.abs

/** Settings of a [PersonTracker] and of [Follower]; what they mean is told in `hrnet_tf/track.py`. */
class Tracking(
    val detectEvery: Int = 30,
    val retryEvery: Int = 10,
    val seen: Float = 0.25f,
    val leastScore: Float = 0.3f,
    val same: Double = 0.3,
    val double: Double = 0.6,
    val coast: Double = 0.7,
    val hold: Double = 0.5,
    val smoothing: OneEuro? = OneEuro(),
)

/**
 * Follows one person without a detector: `Tracker` of `hrnet_tf/track.py` with nobody else there.
 *
 * For each frame: [look] says where, then [update] takes the pose found there. A person who is lost
 * moves on for [Tracking.coast] seconds; then, and in the beginning, the whole frame is searched.
 */
class PersonTracker(sigmas: FloatArray?, private val count: Int, private val settings: Tracking = Tracking()) {
    /** The person of the last [update], smoothed; only if that returned true. */
    val pose = Pose(count)

    private val sigmas = sigmas ?: FloatArray(count) { SIGMA }
    private val track = Track(count)
    private var known = false
    private var whole = true
    private val better = FloatArray(count)

    /** Forgets the person, as when another camera takes over. */
    fun reset() {
        known = false
    }

    /** Writes the box to look at, in a frame of this size at [time] in seconds. */
    fun look(time: Double, width: Int, height: Int, box: Box) {
        if (!expect(time, width, height, box)) box.set(0f, 0f, width.toFloat(), height.toFloat())
    }

    /** As [look]; but false, and no box, if the person has been lost for too long, or has left. */
    fun expect(time: Double, width: Int, height: Int, box: Box): Boolean {
        whole = !known || time - track.found > settings.coast
        if (!whole) {
            track.box(time, box)
            whole = box.x >= width || box.y >= height || box.x + box.width <= 0 || box.y + box.height <= 0
        }
        return !whole
    }

    /** Says that a detector has found the next box: another person may start in it. */
    fun detected() {
        whole = true
    }

    /** Whether a pose of the last frame is this person's, too. */
    fun isDouble(other: Pose) = track.likely(other, sigmas) > settings.double

    /** Takes the pose found in the box of [look]; returns whether it is a person's. */
    fun update(found: Pose, time: Double): Boolean {
        val seconds = if (known) time - track.time else 0.0
        if (known) track.move(time, settings.coast)
        val person = isPerson(found)
        val same = known && person && track.likely(found, sigmas) >= settings.same
        when {
            same -> track.follow(found, maxOf(seconds, LEAST_STEP), whole, settings)
            person && whole -> track.start(found, time, settings)
        }
        val here = same || person && whole
        known = here || known && time - track.found <= settings.coast
        if (here) {
            pose.set(found)
            for (i in pose.points.indices) pose.points[i] = track.smooth[i].toFloat()
        }
        return here
    }

    /** Whether the better half of the joints is sure enough. */
    private fun isPerson(found: Pose): Boolean {
        found.scores.copyInto(better)
        better.sort()
        var sum = 0f
        for (k in count / 2 until count) sum += better[k]
        return sum / (count - count / 2) >= settings.leastScore
    }

    private companion object {
        const val SIGMA = 0.07f // where a keypoint set has none: the middle of COCO's
        const val LEAST_STEP = 1e-3 // seconds, between frames with the same time stamp
    }
}

/** Overlap (IoU) of two boxes. */
internal fun overlap(a: Box, b: Box): Double {
    val width = minOf(a.x + a.width, b.x + b.width).toDouble() - maxOf(a.x, b.x)
    val height = minOf(a.y + a.height, b.y + b.height).toDouble() - maxOf(a.y, b.y)
    val common = maxOf(width, 0.0) * maxOf(height, 0.0)
    val both = a.width.toDouble() * a.height + b.width.toDouble() * b.height - common
    return common / maxOf(abs(both), 1e-9)
}

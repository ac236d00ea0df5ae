package hrnet.core

/** The people of a frame: the first [count] of [poses], and the id of each. */
class People(most: Int, keypoints: Int) {
    var count = 0
    val poses = Array(most) { Pose(keypoints) }
    val ids = IntArray(most)

    fun set(other: People) {
        count = other.count
        for (i in 0 until count) {
            poses[i].set(other.poses[i])
            ids[i] = other.ids[i]
        }
    }
}

/**
 * Follows people from frame to frame: found by a detector every [Tracking.detectEvery] frames, or
 * sooner while somebody is lost or nobody is there, and followed between by a [PersonTracker] each.
 *
 * A person keeps the id while the detector's boxes overlap the expected one; of two who are the same
 * person, the one with the lower id stays. Without a detector, a single person is followed, whom the
 * whole frame is searched for, and whose id says nothing. For one thread; makes no new objects once built.
 *
 * @param most highest number of people.
 */
class Follower(
    private val estimator: PoseEstimator,
    private val detector: PersonDetector? = null,
    most: Int = 5,
    private val settings: Tracking = Tracking(),
) {
    private val keypoints = estimator.card.keypoints
    private val slots = Array(if (detector == null) 1 else most) {
        Slot(PersonTracker(keypoints.sigmas, keypoints.count, settings))
    }
    private val people = People(slots.size, keypoints.count)
    private val found = Pose(keypoints.count)
    private val detected = Box()
    private var lastId = 0
    private var inNetworks = 0L // nanoseconds of this frame
    private var since = Int.MAX_VALUE // frames since the detector's last

    /** Forgets everybody, as when another camera takes over. */
    fun reset() {
        for (slot in slots) slot.free()
        since = Int.MAX_VALUE
    }

    /** The people of a camera's next frame, at [time] in seconds; until the next call. */
    fun follow(frame: Frame, time: Double): People {
        val start = System.nanoTime()
        inNetworks = 0
        if (detector == null) {
            slots[0].taken = true
            slots[0].tracker.look(time, frame.width, frame.height, slots[0].box)
        } else {
            expect(frame, time)
            if (isDue()) place(detect(detector, frame))
        }
        for (slot in slots) if (slot.taken) estimate(frame, slot, time)
        dropDoubles()
        collect()
        estimator.latency.add(Stage.TRACK, System.nanoTime() - start - inNetworks)
        return people
    }

    private fun detect(detector: PersonDetector, frame: Frame): Boxes {
        val start = System.nanoTime()
        return detector.find(frame).also { inNetworks += System.nanoTime() - start }
    }

    private fun expect(frame: Frame, time: Double) {
        for (slot in slots) {
            slot.isNew = false
            if (slot.taken && !slot.tracker.expect(time, frame.width, frame.height, slot.box)) slot.free()
        }
    }

    private fun isDue(): Boolean {
        var missing = true
        for (slot in slots) if (slot.here) missing = false
        for (slot in slots) if (slot.taken && !slot.here) missing = true
        val every = if (missing) minOf(settings.retryEvery, settings.detectEvery) else settings.detectEvery
        if (since >= every) since = 0
        since++
        return since == 1
    }

    /** Gives each box to whom it overlaps most, or else to a free slot. */
    private fun place(boxes: Boxes) {
        for (slot in slots) slot.isSeen = false
        for (i in 0 until boxes.count) {
            boxes.get(i, detected)
            val slot = nearest() ?: free() ?: continue
            slot.isNew = !slot.taken
            slot.taken = true
            slot.isSeen = true
            slot.box.set(detected)
            slot.tracker.detected()
        }
    }

    private fun nearest(): Slot? {
        var best: Slot? = null
        var most = SAME
        for (slot in slots) {
            if (!slot.taken || slot.isSeen) continue
            val shared = overlap(slot.box, detected)
            if (shared >= most) {
                best = slot
                most = shared
            }
        }
        return best
    }

    private fun free(): Slot? {
        for (slot in slots) if (!slot.taken) return slot
        return null
    }

    private fun estimate(frame: Frame, slot: Slot, time: Double) {
        val start = System.nanoTime()
        estimator.estimate(frame, slot.box, found)
        inNetworks += System.nanoTime() - start
        slot.here = slot.tracker.update(found, time)
        if (slot.here && slot.id == 0) slot.id = ++lastId
        if (!slot.here && slot.isNew) slot.free() // no person after all
    }

    private fun dropDoubles() {
        for (slot in slots) for (other in slots) {
            val older = slot.here && other.here && slot.id < other.id
            if (older && slot.tracker.isDouble(other.tracker.pose)) other.free()
        }
    }

    private fun collect() {
        people.count = 0
        for (slot in slots) {
            if (!slot.here) continue
            people.ids[people.count] = slot.id
            people.poses[people.count++].set(slot.tracker.pose)
        }
    }

    /** The place of one person. */
    private class Slot(val tracker: PersonTracker) {
        val box = Box()
        var id = 0
        var taken = false
        var here = false // in the last frame
        var isNew = false
        var isSeen = false // by the detector in this frame

        fun free() {
            tracker.reset()
            id = 0
            taken = false
            here = false
        }
    }

    private companion object {
        const val SAME = 0.3 // overlap of a detector's box with that of a person who is known
    }
}

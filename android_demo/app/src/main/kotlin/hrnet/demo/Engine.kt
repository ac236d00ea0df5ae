package hrnet.demo

import android.content.res.AssetManager
import hrnet.core.Box
import hrnet.core.Card
import hrnet.core.Frame
import hrnet.core.Latency
import hrnet.core.PersonTracker
import hrnet.core.Pose
import hrnet.core.PoseEstimator
import hrnet.core.Stage
import hrnet.core.Tracking

/** An opened model and what follows a person with it; for one thread. */
class Engine(assets: AssetManager, val choice: Choice) : AutoCloseable {
    val card: Card = readCard(assets, choice.model)
    val latency = Latency()
    private val model = LiteRtModel.open(assets, choice, card)
    private val estimator = PoseEstimator(card, model, latency)
    private val tracker = PersonTracker(card.keypoints.sigmas, card.keypoints.count)
    private val still =
        PersonTracker(card.keypoints.sigmas, card.keypoints.count, Tracking(smoothing = null))
    private val found = Pose(card.keypoints.count)
    private val box = Box()

    val runsOn get() = model.runsOn

    /** The next frame of a camera at [time] in seconds; the person followed, null if nobody is there. */
    fun follow(frame: Frame, time: Double) = follow(frame, time, tracker)

    /** A picture by itself: looked at whole, then more closely where somebody was found. */
    fun find(frame: Frame): Pose? {
        still.reset()
        return follow(frame, 0.0, still)?.let { follow(frame, 0.1, still) ?: it }
    }

    private fun follow(frame: Frame, time: Double, tracker: PersonTracker): Pose? {
        val start = System.nanoTime()
        tracker.look(time, frame.width, frame.height, box)
        val placed = System.nanoTime()
        estimator.estimate(frame, box, found)
        val estimated = System.nanoTime()
        val here = tracker.update(found, time)
        latency.add(Stage.TRACK, placed - start + System.nanoTime() - estimated)
        return if (here) tracker.pose else null
    }

    fun forget() = tracker.reset()

    override fun close() = model.close()
}

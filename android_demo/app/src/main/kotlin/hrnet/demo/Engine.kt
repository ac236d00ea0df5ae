package hrnet.demo

import android.content.res.AssetManager
import hrnet.core.Card
import hrnet.core.Follower
import hrnet.core.Frame
import hrnet.core.Latency
import hrnet.core.People
import hrnet.core.PersonDetector
import hrnet.core.PoseEstimator
import hrnet.core.Tracking

/** An opened model, the detector if one came with the app, and what follows people; for one thread. */
class Engine(assets: AssetManager, val choice: Choice) : AutoCloseable {
    val card: Card = readCard(assets, choice.model)
    val latency = Latency()
    private val model = LiteRtModel.open(assets, choice, Specs(card.input, listOf(card.output)))
    private val detector = try {
        detectorName(assets)?.let { openDetector(assets, it) }
    } catch (error: Exception) {
        model.close()
        throw error
    }
    private val estimator = PoseEstimator(card, model, latency)
    private val camera = Follower(estimator, detector)
    private val photo = Follower(estimator, detector, MOST, Tracking(smoothing = null))

    val runsOn get() = model.runsOn

    /** The people in the next frame of a camera at [time] in seconds; until the next call. */
    fun follow(frame: Frame, time: Double): People = camera.follow(frame, time)

    /**
     * The people in a picture by itself, until the next call. Without a detector it is looked at
     * whole, and then more closely where somebody was found.
     */
    fun find(frame: Frame): People {
        photo.reset()
        val found = photo.follow(frame, 0.0)
        return if (detector != null || found.count == 0) found else photo.follow(frame, 0.1)
    }

    fun forget() = camera.reset()

    private fun openDetector(assets: AssetManager, name: String): PersonDetector {
        val card = readDetectorCard(assets, name)
        val model = LiteRtModel.open(assets, choice.copy(model = name), Specs(card.input, card.outputs))
        return PersonDetector(card, model, latency = latency)
    }

    override fun close() {
        detector?.close()
        model.close()
    }

    private companion object {
        const val MOST = 20 // people in a photo
    }
}

package hrnet.host

import com.sun.management.ThreadMXBean
import hrnet.core.Box
import hrnet.core.Frame
import hrnet.core.Model
import hrnet.core.PersonTracker
import hrnet.core.Pose
import hrnet.core.PoseEstimator
import hrnet.core.Stage
import hrnet.core.Tensor
import java.lang.management.ManagementFactory
import java.nio.ByteBuffer
import kotlin.random.Random

/**
 * What a frame costs outside its network: `LIBRARY MODEL.tflite [FRAMES]`.
 *
 * Time is that of this thread alone, so that other programs do not count; start it on one core
 * (`taskset -c 0`), where LiteRT works in this thread too. The second half counts.
 */
fun main(arguments: Array<String>) {
    val estimator = estimator(arguments[0], arguments[1])
    val count = arguments.getOrElse(2) { "1000" }.toInt()
    val around = Run(PoseEstimator(estimator.card, Silent))
    around.frames(count)
    val (milliseconds, bytes) = around.cost(count)
    println("around the network %.3f ms per frame, %.1f bytes allocated".format(milliseconds, bytes))
    estimator.model.use {
        val whole = Run(estimator)
        whole.frames(count / 10)
        val network = whole.cost(count / 10).first - milliseconds
        println("the network %.3f ms: %.1f %%".format(network, 100 * milliseconds / network))
        for (stage in Stage.entries) {
            val (half, most) = listOf(50, 90).map { estimator.latency.percentile(stage, it) }
            println("%s p50 %.3f ms, p90 %.3f ms".format(stage.name.lowercase(), half, most))
        }
    }
}

/** A network that answers nothing, for what is around it. */
private object Silent : Model {
    override val runsOn = "nothing"

    override fun run(input: Tensor, outputs: Array<Tensor>) = Unit

    override fun close() = Unit
}

/** A camera of 640 x 480 that stands on its side, as in phones. */
private class Run(private val estimator: PoseEstimator) {
    private val pixels = ByteBuffer.allocateDirect(4 * 640 * 480).also {
        val random = Random(0)
        while (it.hasRemaining()) it.put(random.nextInt().toByte())
    }
    private val frame = Frame()
    private val card = estimator.card
    private val pose = Pose(card.keypoints.count)
    private val tracker = PersonTracker(card.keypoints.sigmas, card.keypoints.count)
    private val box = Box()

    fun frames(count: Int) {
        for (i in 0 until count) {
            val start = System.nanoTime()
            frame.fill(pixels, 640, 480, rotation = 90)
            val copied = System.nanoTime()
            tracker.look(i / 30.0, frame.width, frame.height, box)
            box.set(60f, 100f, 300f, 420f)
            val placed = System.nanoTime()
            estimator.estimate(frame, box, pose)
            val estimated = System.nanoTime()
            tracker.update(pose, i / 30.0)
            estimator.latency.add(Stage.COPY, copied - start)
            estimator.latency.add(Stage.TRACK, placed - copied + System.nanoTime() - estimated)
        }
    }

    /** Milliseconds of this thread and bytes per frame. */
    fun cost(count: Int): Pair<Double, Double> {
        val threads = ManagementFactory.getThreadMXBean() as ThreadMXBean
        val (bytes, time) = threads.currentThreadAllocatedBytes to threads.currentThreadCpuTime
        frames(count)
        val spent = threads.currentThreadCpuTime - time
        return spent / 1e6 / count to (threads.currentThreadAllocatedBytes - bytes) / count.toDouble()
    }
}

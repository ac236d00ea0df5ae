package hrnet.core

/** The stages of a frame whose time is taken. */
enum class Stage { COPY, DETECT, CROP, NETWORK, DECODE, TRACK }

/** Median and 90th percentile of the last [window] frames, by stage. */
class Latency(private val window: Int = 120) {
    private val times = Array(Stage.entries.size) { LongArray(window) }
    private val counts = IntArray(Stage.entries.size)
    private val sorted = LongArray(window)

    /** Notes what a stage of one frame took. */
    @Synchronized
    fun add(stage: Stage, nanoseconds: Long) {
        times[stage.ordinal][counts[stage.ordinal]++ % window] = nanoseconds
    }

    /** Milliseconds that [percent] of the last frames stay below, interpolated; 0 without frames. */
    @Synchronized
    fun percentile(stage: Stage, percent: Int): Double {
        val count = minOf(counts[stage.ordinal], window)
        if (count == 0) return 0.0
        times[stage.ordinal].copyInto(sorted, 0, 0, count)
        sorted.sort(0, count)
        val at = (count - 1) * percent / 100.0
        val below = sorted[at.toInt()]
        val above = sorted[minOf(at.toInt() + 1, count - 1)]
        return (below + (at - at.toInt()) * (above - below)) / 1e6
    }

    @Synchronized
    fun clear() = counts.fill(0)
}

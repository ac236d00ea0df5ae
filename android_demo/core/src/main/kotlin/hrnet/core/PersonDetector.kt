package hrnet.core

/** From a frame to the boxes of people in it; makes no new objects once built. For one thread. */
class PersonDetector(
    val card: DetectorCard,
    val model: Model,
    private val leastScore: Float = 0.3f,
    private val latency: Latency = Latency(),
) : AutoCloseable {
    val input = Tensor(card.input)
    val outputs = Array(card.outputs.size) { Tensor(card.outputs[it]) }
    private val letterbox = Letterbox(card)
    private val decoder = PointDecoder(card)
    private val nms = Nms(decoder.candidates.capacity, card.nms)
    private val found = Boxes(card.most)

    /** The boxes of at least the lowest score, best first, until the next call. */
    fun find(frame: Frame): Boxes {
        val start = System.nanoTime()
        letterbox.fit(frame, input)
        model.run(input, outputs)
        decoder.decode(outputs, letterbox, leastScore)
        nms.choose(decoder.candidates, found)
        latency.add(Stage.DETECT, System.nanoTime() - start)
        return found
    }

    override fun close() = model.close()
}

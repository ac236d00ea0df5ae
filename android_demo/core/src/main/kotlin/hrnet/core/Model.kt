package hrnet.core

/** The seam between this package and whatever runs a network: LiteRT on a phone, LiteRT on a host. */
interface Model : AutoCloseable {
    /** Where it runs, as the user should read it: "CPU, 4 threads". */
    val runsOn: String

    /**
     * Fills [outputs] with what the network makes of [input]; all have the specs of the card, in its
     * order.
     *
     * Throws [ModelFailed], or [BadTensor] if the model's tensors are others.
     */
    fun run(input: Tensor, outputs: Array<Tensor>)
}

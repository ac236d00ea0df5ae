package hrnet.core

/** The seam between this package and whatever runs a network: LiteRT on a phone, LiteRT on a host. */
interface PoseModel : AutoCloseable {
    /** Where it runs, as the user should read it: "CPU, 4 threads". */
    val runsOn: String

    /**
     * Fills [output] with the heat maps of [input]; both have the specs of the card.
     *
     * Throws [ModelFailed], or [BadTensor] if the model's tensors are others.
     */
    fun run(input: Tensor, output: Tensor)
}

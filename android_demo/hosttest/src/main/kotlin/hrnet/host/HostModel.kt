package hrnet.host

import com.sun.jna.Memory
import com.sun.jna.Native
import com.sun.jna.Pointer
import com.sun.jna.ptr.PointerByReference
import hrnet.core.BadTensor
import hrnet.core.DType
import hrnet.core.Model
import hrnet.core.ModelFailed
import hrnet.core.Tensor
import hrnet.core.TensorSpec

/** A `.tflite` file run by LiteRT on this machine's CPU. */
class HostModel(
    private val api: LiteRt,
    path: String,
    inputSpec: TensorSpec,
    outputSpecs: List<TensorSpec>,
) : Model {
    override val runsOn = "CPU of the host"
    private val environment = made("an environment") { api.LiteRtCreateEnvironment(0, null, it) }
    private val model = made("a model of $path") { api.LiteRtCreateModelFromFile(environment, path, it) }
    private val options = made("options", api::LiteRtCreateOptions)
    private val compiled: Pointer
    private val input: Pointer
    private val outputs: List<Pointer>
    private val order: List<Int> // of the signature's outputs in the card

    init {
        checked("take the CPU", api.LiteRtSetOptionsHardwareAccelerators(options, LiteRt.CPU))
        compiled = made("a compiled model") { api.LiteRtCreateCompiledModel(environment, model, options, it) }
        val signature = made("a signature") { api.LiteRtGetModelSignature(model, 0, it) }
        val image = made("an input") { api.LiteRtGetSignatureInputTensorByIndex(signature, 0, it) }
        input = buffer(type("input", image, inputSpec), 0, api::LiteRtGetCompiledModelInputBufferRequirements)
        order = order(signature, outputSpecs)
        outputs = List(order.size) { index ->
            val spec = outputSpecs[order[index]]
            val maps = made("an output") { api.LiteRtGetSignatureOutputTensorByIndex(signature, index.toLong(), it) }
            val type = type("output", maps, spec)
            buffer(type, index.toLong(), api::LiteRtGetCompiledModelOutputBufferRequirements)
        }
    }

    /** Which tensor of the card each output of the model is: by name if there are several. */
    private fun order(signature: Pointer, specs: List<TensorSpec>): List<Int> {
        if (specs.size == 1) return listOf(0)
        return List(specs.size) { index ->
            val name = made("a name") { api.LiteRtGetSignatureOutputName(signature, index.toLong(), it) }.getString(0)
            specs.indexOfFirst { it.name == name }.also {
                if (it < 0) throw BadTensor("The model has an output $name, of which its card says nothing.")
            }
        }
    }

    override fun run(input: Tensor, outputs: Array<Tensor>) {
        locked(this.input, LiteRt.WRITE) {
            it.write(0, input.bytes, 0, input.bytes.size)
            it.write(0, input.floats, 0, input.floats.size)
        }
        val (ours, theirs) = list(listOf(this.input)) to list(this.outputs)
        val status = api.LiteRtRunCompiledModel(compiled, 0, 1, ours, order.size.toLong(), theirs)
        checked("run the model", status)
        for ((index, buffer) in this.outputs.withIndex()) {
            val output = outputs[order[index]]
            locked(buffer, LiteRt.READ) {
                it.read(0, output.bytes, 0, output.bytes.size)
                it.read(0, output.floats, 0, output.floats.size)
            }
        }
    }

    override fun close() {
        api.LiteRtDestroyTensorBuffer(input)
        outputs.forEach(api::LiteRtDestroyTensorBuffer)
        api.LiteRtDestroyCompiledModel(compiled)
        api.LiteRtDestroyOptions(options)
        api.LiteRtDestroyModel(model)
        api.LiteRtDestroyEnvironment(environment)
    }

    /** The model's own type of a tensor, which must be that of the card. */
    private fun type(name: String, tensor: Pointer, spec: TensorSpec): Pointer {
        val type = Memory(LiteRt.TYPE_BYTES)
        checked("read a tensor's type", api.LiteRtGetRankedTensorType(tensor, type))
        val dtype = DTYPES[type.getInt(0)]
        val shape = type.getIntArray(8, type.getInt(4) and 127)
        if (dtype != spec.dtype || !shape.contentEquals(spec.shape)) {
            throw BadTensor(
                "The model's $name must be what its card says, ${spec.dtype} ${spec.shape.toList()}. " +
                    "Received: $dtype ${shape.toList()}. Put the card beside it that was written with it.",
            )
        }
        return type
    }

    private fun buffer(
        type: Pointer,
        index: Long,
        needs: (Pointer, Long, Long, PointerByReference) -> Int,
    ): Pointer {
        val requirements = made("requirements") { needs(compiled, 0, index, it) }
        return made("a buffer") {
            api.LiteRtCreateManagedTensorBufferFromRequirements(environment, type, requirements, it)
        }
    }

    private fun locked(buffer: Pointer, mode: Int, use: (Pointer) -> Unit) {
        use(made("access to a buffer") { api.LiteRtLockTensorBuffer(buffer, it, mode) })
        checked("release a buffer", api.LiteRtUnlockTensorBuffer(buffer))
    }

    private fun list(buffers: List<Pointer>) =
        Memory(Native.POINTER_SIZE.toLong() * buffers.size).also { list ->
            buffers.forEachIndexed { i, buffer -> list.setPointer(Native.POINTER_SIZE.toLong() * i, buffer) }
        }

    private companion object {
        val DTYPES = mapOf(1 to DType.FLOAT32, 3 to DType.UINT8, 9 to DType.INT8)

        fun made(what: String, make: (PointerByReference) -> Int): Pointer {
            val made = PointerByReference()
            checked("make $what", make(made))
            return made.value
        }

        fun checked(what: String, status: Int) {
            if (status != 0) throw ModelFailed("LiteRT could not $what (status $status).")
        }
    }
}

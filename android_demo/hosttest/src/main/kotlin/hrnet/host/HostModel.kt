package hrnet.host

import com.sun.jna.Memory
import com.sun.jna.Native
import com.sun.jna.Pointer
import com.sun.jna.ptr.PointerByReference
import hrnet.core.BadTensor
import hrnet.core.Card
import hrnet.core.DType
import hrnet.core.ModelFailed
import hrnet.core.PoseModel
import hrnet.core.Tensor
import hrnet.core.TensorSpec

/** A `.tflite` file run by LiteRT on this machine's CPU. */
class HostModel(private val api: LiteRt, path: String, card: Card) : PoseModel {
    override val runsOn = "CPU of the host"
    private val environment = made("an environment") { api.LiteRtCreateEnvironment(0, null, it) }
    private val model = made("a model of $path") { api.LiteRtCreateModelFromFile(environment, path, it) }
    private val options = made("options", api::LiteRtCreateOptions)
    private val compiled: Pointer
    private val input: Pointer
    private val output: Pointer

    init {
        checked("take the CPU", api.LiteRtSetOptionsHardwareAccelerators(options, LiteRt.CPU))
        compiled = made("a compiled model") { api.LiteRtCreateCompiledModel(environment, model, options, it) }
        val signature = made("a signature") { api.LiteRtGetModelSignature(model, 0, it) }
        val image = made("an input") { api.LiteRtGetSignatureInputTensorByIndex(signature, 0, it) }
        val maps = made("an output") { api.LiteRtGetSignatureOutputTensorByIndex(signature, 0, it) }
        input = buffer(type("input", image, card.input), api::LiteRtGetCompiledModelInputBufferRequirements)
        output = buffer(type("output", maps, card.output), api::LiteRtGetCompiledModelOutputBufferRequirements)
    }

    override fun run(input: Tensor, output: Tensor) {
        locked(this.input, LiteRt.WRITE) {
            it.write(0, input.bytes, 0, input.bytes.size)
            it.write(0, input.floats, 0, input.floats.size)
        }
        val status = api.LiteRtRunCompiledModel(compiled, 0, 1, list(this.input), 1, list(this.output))
        checked("run the model", status)
        locked(this.output, LiteRt.READ) {
            it.read(0, output.bytes, 0, output.bytes.size)
            it.read(0, output.floats, 0, output.floats.size)
        }
    }

    override fun close() {
        api.LiteRtDestroyTensorBuffer(input)
        api.LiteRtDestroyTensorBuffer(output)
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

    private fun buffer(type: Pointer, needs: (Pointer, Long, Long, PointerByReference) -> Int): Pointer {
        val requirements = made("requirements") { needs(compiled, 0, 0, it) }
        return made("a buffer") {
            api.LiteRtCreateManagedTensorBufferFromRequirements(environment, type, requirements, it)
        }
    }

    private fun locked(buffer: Pointer, mode: Int, use: (Pointer) -> Unit) {
        use(made("access to a buffer") { api.LiteRtLockTensorBuffer(buffer, it, mode) })
        checked("release a buffer", api.LiteRtUnlockTensorBuffer(buffer))
    }

    private fun list(buffer: Pointer) = Memory(Native.POINTER_SIZE.toLong()).also { it.setPointer(0, buffer) }

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

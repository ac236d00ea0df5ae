package hrnet.demo

import android.content.res.AssetManager
import com.google.ai.edge.litert.Accelerator
import com.google.ai.edge.litert.CompiledModel
import com.google.ai.edge.litert.LiteRtException
import com.google.ai.edge.litert.TensorBuffer
import hrnet.core.DType
import hrnet.core.Model
import hrnet.core.ModelFailed
import hrnet.core.Tensor
import hrnet.core.TensorSpec
import hrnet.core.checkSize

/** What the user asks for: a model of the assets, where to run it, threads of the CPU. */
data class Choice(val model: String, val accelerator: Accelerator = Accelerator.CPU, val threads: Int = 4)

/** The tensors of a model, as its card describes them. */
class Specs(val input: TensorSpec, val outputs: List<TensorSpec>)

/** A model run by LiteRT on the phone. */
class LiteRtModel private constructor(
    private val model: CompiledModel,
    private val specs: Specs,
    override val runsOn: String,
) : Model {
    private val inputs = model.createInputBuffers()

    // Several outputs have an order of their own in the file, and are called by name.
    private val outputs =
        if (specs.outputs.size == 1) model.createOutputBuffers()
        else specs.outputs.map { model.createOutputBuffer(it.name) }
    private val namedInputs = mapOf(specs.input.name to inputs[0])
    private val namedOutputs = specs.outputs.map { it.name }.zip(outputs).toMap()

    override fun run(input: Tensor, outputs: Array<Tensor>) {
        try {
            when (input.spec.dtype) {
                DType.FLOAT32 -> inputs[0].writeFloat(input.floats)
                else -> inputs[0].writeInt8(input.bytes)
            }
            if (outputs.size == 1) {
                model.run(inputs, this.outputs)
            } else {
                model.run(namedInputs, namedOutputs)
            }
            for (i in outputs.indices) read(this.outputs[i], outputs[i])
        } catch (error: LiteRtException) {
            throw ModelFailed("The model did not run on the $runsOn: ${error.message}.", error)
        }
    }

    /** LiteRT hands out new arrays: the only memory that a frame asks for. */
    private fun read(buffer: TensorBuffer, output: Tensor) {
        if (output.spec.dtype == DType.FLOAT32) {
            val floats = buffer.readFloat()
            checkSize("output", output.spec, floats.size)
            floats.copyInto(output.floats)
        } else {
            val bytes = buffer.readInt8()
            checkSize("output", output.spec, bytes.size)
            bytes.copyInto(output.bytes)
        }
    }

    override fun close() {
        (inputs + outputs).forEach { it.close() }
        model.close()
    }

    companion object {
        /**
         * Opens a model where the user wants it, or else where it can be; [runsOn] says which.
         *
         * Throws [ModelFailed] if not even the CPU takes it.
         */
        fun open(assets: AssetManager, choice: Choice, specs: Specs): LiteRtModel {
            val refusals = mutableListOf<String>()
            for ((words, accelerators) in attempts(choice)) {
                try {
                    val reasons = if (refusals.isEmpty()) "" else " (${refusals.joinToString("; ")})"
                    return LiteRtModel(compile(assets, choice, accelerators), specs, words + reasons).also { it.warmUp() }
                } catch (error: LiteRtException) {
                    refusals += "the $words refused: ${error.message}"
                } catch (error: ModelFailed) {
                    refusals += "the $words failed: ${error.cause?.message}"
                }
            }
            throw ModelFailed("${choice.model} cannot be opened: ${refusals.joinToString("; ")}.")
        }

        /** From what the user wants down to what always works. */
        private fun attempts(choice: Choice): List<Pair<String, Set<Accelerator>>> {
            val cpu = "CPU, ${choice.threads} threads" to setOf(Accelerator.CPU)
            return when (val wanted = choice.accelerator) {
                Accelerator.GPU -> listOf(
                    "GPU" to setOf(wanted),
                    "GPU in parts, else CPU" to setOf(wanted, Accelerator.CPU),
                    cpu,
                )
                // LiteRT adds the CPU to an NPU in any case, and does not say which part runs where.
                Accelerator.NPU -> listOf("NPU where it can, else CPU" to setOf(wanted, Accelerator.CPU), cpu)
                else -> listOf(cpu)
            }
        }

        private fun compile(
            assets: AssetManager,
            choice: Choice,
            accelerators: Set<Accelerator>,
        ): CompiledModel {
            val options = CompiledModel.Options(accelerators)
            options.cpuOptions = CompiledModel.CpuOptions(choice.threads, null, null)
            return CompiledModel.create(assets, "${choice.model}.tflite", options)
        }
    }

    /** One run: some drivers refuse only then. */
    private fun warmUp() {
        try {
            run(Tensor(specs.input), Array(specs.outputs.size) { Tensor(specs.outputs[it]) })
        } catch (error: Exception) {
            close()
            throw error
        }
    }
}

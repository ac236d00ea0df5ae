package hrnet.demo

import android.content.res.AssetManager
import com.google.ai.edge.litert.Accelerator
import com.google.ai.edge.litert.CompiledModel
import com.google.ai.edge.litert.LiteRtException
import hrnet.core.Card
import hrnet.core.DType
import hrnet.core.ModelFailed
import hrnet.core.PoseModel
import hrnet.core.Tensor
import hrnet.core.checkSize

/** What the user asks for: a model of the assets, where to run it, threads of the CPU. */
data class Choice(val model: String, val accelerator: Accelerator = Accelerator.CPU, val threads: Int = 4)

/** A model run by LiteRT on the phone. */
class LiteRtModel private constructor(private val model: CompiledModel, override val runsOn: String) :
    PoseModel {
    private val inputs = model.createInputBuffers()
    private val outputs = model.createOutputBuffers()

    override fun run(input: Tensor, output: Tensor) {
        try {
            when (input.spec.dtype) {
                DType.FLOAT32 -> inputs[0].writeFloat(input.floats)
                else -> inputs[0].writeInt8(input.bytes)
            }
            model.run(inputs, outputs)
            // LiteRT hands out new arrays: the only memory that a frame asks for.
            if (output.spec.dtype == DType.FLOAT32) {
                val floats = outputs[0].readFloat()
                checkSize("output", output.spec, floats.size)
                floats.copyInto(output.floats)
            } else {
                val bytes = outputs[0].readInt8()
                checkSize("output", output.spec, bytes.size)
                bytes.copyInto(output.bytes)
            }
        } catch (error: LiteRtException) {
            throw ModelFailed("The model did not run on the $runsOn: ${error.message}.", error)
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
        fun open(assets: AssetManager, choice: Choice, card: Card): LiteRtModel {
            val refusals = mutableListOf<String>()
            for ((words, accelerators) in attempts(choice)) {
                try {
                    val reasons = if (refusals.isEmpty()) "" else " (${refusals.joinToString("; ")})"
                    return compile(assets, choice, accelerators, words + reasons).also { it.warmUp(card) }
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
            words: String,
        ): LiteRtModel {
            val options = CompiledModel.Options(accelerators)
            options.cpuOptions = CompiledModel.CpuOptions(choice.threads, null, null)
            return LiteRtModel(CompiledModel.create(assets, "${choice.model}.tflite", options), words)
        }
    }

    /** One run: some drivers refuse only then. */
    private fun warmUp(card: Card) {
        try {
            run(Tensor(card.input), Tensor(card.output))
        } catch (error: Exception) {
            close()
            throw error
        }
    }
}

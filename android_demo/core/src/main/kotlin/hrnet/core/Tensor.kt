package hrnet.core

/** Number types of the tensors that phones are given. */
enum class DType { FLOAT32, INT8, UINT8 }

/** A tensor of a model; an integer n stands for (n - [zeroPoint]) * [scale]. */
class TensorSpec(
    val shape: IntArray,
    val dtype: DType,
    val scale: Float = 1f,
    val zeroPoint: Int = 0,
    val name: String = "",
) {
    val count = shape.fold(1, Int::times)
}

/** The numbers of a tensor, in [floats] or, if its type is of one byte, in [bytes]. */
class Tensor(val spec: TensorSpec) {
    val floats = FloatArray(if (spec.dtype == DType.FLOAT32) spec.count else 0)
    val bytes = ByteArray(if (spec.dtype == DType.FLOAT32) 0 else spec.count)

    /** Writes what the numbers stand for, as `hrnet_tf.runtime.converted.dequantize`. */
    fun dequantize(values: FloatArray) {
        val scale = spec.scale
        val zero = spec.zeroPoint.toFloat()
        when (spec.dtype) {
            DType.FLOAT32 -> floats.copyInto(values)
            DType.INT8 -> for (i in bytes.indices) values[i] = (bytes[i].toFloat() - zero) * scale
            DType.UINT8 ->
                for (i in bytes.indices) values[i] = ((bytes[i].toInt() and 255).toFloat() - zero) * scale
        }
    }
}

/** Throws [BadTensor] unless a model's tensor has the size that its card promises. */
fun checkSize(name: String, spec: TensorSpec, received: Int) {
    if (received != spec.count) {
        throw BadTensor(
            "The model's $name must have ${spec.count} numbers ${spec.shape.toList()}. " +
                "Received: $received. Put the card beside it that was written with it.",
        )
    }
}

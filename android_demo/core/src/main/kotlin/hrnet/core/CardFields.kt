package hrnet.core

import org.json.JSONArray
import org.json.JSONObject

/** The tensor that a card describes under this name. Throws [BadCard] if it has none. */
internal fun tensorOf(card: JSONObject, name: String) = tensorSpec(
    card.optJSONObject(name)
        ?: throw BadCard("The card says nothing of the model's $name. Is it that of a .tflite file?"),
    name,
)

internal fun tensorSpec(tensor: JSONObject, name: String): TensorSpec {
    val dtype = tensor.getString("dtype")
    return TensorSpec(
        ints(tensor.getJSONArray("shape")),
        DType.entries.find { it.name.lowercase() == dtype }
            ?: throw BadCard("The model's $name must be float32, int8 or uint8. Received: $dtype."),
        tensor.optDouble("scale", 1.0).toFloat(),
        tensor.optInt("zero_point", 0),
        tensor.optString("name", name),
    )
}

internal fun floats(array: JSONArray) = FloatArray(array.length()) { array.getDouble(it).toFloat() }

internal fun ints(array: JSONArray) = IntArray(array.length()) { array.getInt(it) }

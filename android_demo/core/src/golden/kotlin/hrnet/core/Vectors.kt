package hrnet.core

import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.util.Base64
import org.json.JSONArray
import org.json.JSONObject

/** What Python computed; `ci/vectors.py` writes it. */
object Vectors {
    fun read(name: String): JSONObject {
        val stream = checkNotNull(javaClass.getResourceAsStream("/vectors/$name.json")) {
            "no vectors: run `python android_demo/ci/vectors.py`"
        }
        return JSONObject(stream.use { it.readBytes().decodeToString() })
    }

    fun bytes(text: String): ByteArray = Base64.getDecoder().decode(text)

    fun buffer(text: String): ByteBuffer = ByteBuffer.wrap(bytes(text)).order(ByteOrder.LITTLE_ENDIAN)

    fun floats(array: JSONArray) = FloatArray(array.length()) { array.getDouble(it).toFloat() }

    fun box(array: JSONArray) = floats(array).let { Box(it[0], it[1], it[2], it[3]) }
}

fun JSONArray.objects() = List(length()) { getJSONObject(it) }

package hrnet.core

import org.json.JSONArray
import org.json.JSONException
import org.json.JSONObject

/**
 * How to feed a model and read its output: the JSON that `convert/` writes beside a `.tflite` file.
 *
 * Grey levels become `(level / 255 - mean) / std`; a crop shows [padding] times a person's box.
 */
class Card(
    val mean: FloatArray,
    val std: FloatArray,
    val keypoints: Keypoints,
    val codec: Codec,
    val padding: Float,
    val input: TensorSpec,
    val output: TensorSpec,
) {
    companion object {
        const val VERSION = 1

        /** The card as text of JSON. Throws [BadCard] if anything that is needed is not there. */
        fun read(text: String): Card {
            try {
                return read(JSONObject(text)).also(::check)
            } catch (error: JSONException) {
                throw BadCard("The card of the model cannot be used: ${error.message}.")
            }
        }

        private fun read(card: JSONObject): Card {
            val (version, task) = card.getInt("version") to card.getString("task")
            if (version != VERSION || task != "pose") {
                throw BadCard(
                    "The card must be of version $VERSION and task pose. " +
                        "Received: version=$version, task=$task.",
                )
            }
            return Card(
                mean = floats(card.getJSONArray("mean")),
                std = floats(card.getJSONArray("std")),
                keypoints = keypoints(card.getJSONObject("keypoints")),
                codec = codec(card.getJSONObject("codec")),
                padding = card.getDouble("padding").toFloat(),
                input = tensorOf(card, "input"),
                output = tensorOf(card, "output"),
            )
        }

        private fun keypoints(set: JSONObject): Keypoints {
            val names = set.getJSONArray("names")
            return Keypoints(
                names = List(names.length()) { names.getString(it) },
                skeleton = rows(set.getJSONArray("skeleton")),
                colors = rows(set.getJSONArray("colors")),
                pointColors = rows(set.getJSONArray("point_colors")),
                sigmas = if (set.isNull("sigmas")) null else floats(set.getJSONArray("sigmas")),
            )
        }

        private fun codec(codec: JSONObject): Codec = when (val name = codec.getString("name")) {
            "msra" -> Codec.Msra
            "face" -> Codec.Face
            "dark" -> Codec.Dark(codec.getInt("blur_kernel"))
            "udp" -> Codec.Udp(codec.getInt("blur_kernel"))
            "udp_combined" -> Codec.UdpCombined(
                codec.getDouble("radius_factor").toFloat(),
                codec.getInt("blur_kernel"),
            )
            else -> throw BadCard("This app cannot decode with the codec $name. A newer one may.")
        }

        private fun rows(array: JSONArray) = Array(array.length()) { ints(array.getJSONArray(it)) }

        private fun check(card: Card) {
            val (image, maps) = card.input.shape to card.output.shape
            val channels = card.keypoints.count * card.codec.channels
            val wanted = mapOf(
                "three means and positive stds" to
                    (card.mean.size == 3 && card.std.size == 3 && card.std.all { it > 0 }),
                "a positive padding" to (card.padding > 0),
                "an input (1, height, width, 3)" to
                    (image.size == 4 && image[0] == 1 && image[3] == 3 && image.all { it > 0 }),
                "an output (1, height / 4, width / 4, $channels)" to
                    (maps.contentEquals(intArrayOf(1, image[1] / STRIDE, image[2] / STRIDE, channels))),
                "positive scales" to (card.input.scale > 0 && card.output.scale > 0),
                "an odd blur_kernel" to (card.codec.blurKernel > 0 && card.codec.blurKernel % 2 == 1),
                "colours and lines that fit its names" to card.keypoints.fits(),
            )
            wanted.filterValues { !it }.keys.firstOrNull()?.let {
                throw BadCard(
                    "The card of a pose model must have $it. Received: " +
                        "input=${image.toList()}, output=${maps.toList()}. Convert the model again.",
                )
            }
        }
    }
}

/** The K keypoints: lines join pairs of them; colours are RGB, one for each line and point. */
class Keypoints(
    val names: List<String>,
    val skeleton: Array<IntArray>,
    val colors: Array<IntArray>,
    val pointColors: Array<IntArray>,
    val sigmas: FloatArray?,
) {
    val count get() = names.size

    internal fun fits() = count > 0 &&
        skeleton.all { line -> line.size == 2 && line.all { it in names.indices } } &&
        colors.size == skeleton.size &&
        pointColors.size == count &&
        (colors + pointColors).all { it.size == 3 } &&
        (sigmas == null || sigmas.size == count)
}

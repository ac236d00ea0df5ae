package hrnet.core

import kotlin.math.ln
import org.json.JSONArray
import org.json.JSONException
import org.json.JSONObject

/**
 * How to feed a detector of people and read its maps: the JSON that `convert/` writes beside a
 * `.tflite` file of `hrnet_tf.detection` with the head fcos or fcos_lite.
 *
 * A frame is scaled to fit [sides], a longer and a shorter one, and the input; it lies in the top
 * left corner.
 *
 * @property scoreThreshold points whose class has a lower probability are no candidates.
 * @property nms overlap (IoU) above which two boxes are one person.
 * @property most highest number of boxes.
 * @property person index of the class of people.
 * @property outputs three for each level, finest first: class logits, logarithms of distances and
 *   centerness.
 */
class DetectorCard(
    val mean: FloatArray,
    val std: FloatArray,
    val sides: IntArray,
    val scoreThreshold: Double,
    val nms: Double,
    val most: Int,
    val person: Int,
    val input: TensorSpec,
    val outputs: List<TensorSpec>,
) {
    /** The number of classes. */
    val classes get() = outputs[0].shape[3]

    /** Pixels of the input from one point of a level to the next. */
    fun stride(level: Int) = FINEST shl level

    companion object {
        private const val FINEST = 8
        private val KINDS = listOf("class_logits", "log_distances", "centerness")
        private val HEADS = setOf("fcos", "fcos_lite")

        /** Whether the text of a card is that of a detector. */
        fun isOne(text: String) = try {
            JSONObject(text).optString("task") == "detection"
        } catch (_: JSONException) {
            false
        }

        /** The card as text of JSON. Throws [BadCard] if anything that is needed is not there. */
        fun read(text: String): DetectorCard = try {
            read(JSONObject(text))
        } catch (error: JSONException) {
            throw BadCard("The card of the detector cannot be used: ${error.message}.")
        }

        private fun read(card: JSONObject): DetectorCard {
            check(card)
            val (classes, ids) = card.getJSONArray("classes") to card.getJSONArray("category_ids")
            val names = List(classes.length()) { classes.getString(it) }
            val person = if (names.size == 1) 0 else names.indexOf("person")
            must(person >= 0) { "a class person, or only one class. Received: ${names.take(3)}" }
            must(ids.length() == names.size) { "a category id for each class" }
            val outputs = outputs(card, names.size)
            return DetectorCard(
                mean = floats(card.getJSONArray("mean")),
                std = floats(card.getJSONArray("std")),
                sides = ints(card.getJSONArray("sides")),
                scoreThreshold = card.getDouble("score_threshold"),
                nms = card.getDouble("nms"),
                most = card.getInt("most"),
                person = person,
                input = tensorOf(card, "input"),
                outputs = outputs,
            ).also(::check)
        }

        private fun check(card: JSONObject) {
            val (version, task) = card.getInt("version") to card.getString("task")
            must(version == Card.VERSION && task == "detection") {
                "version ${Card.VERSION} and task detection. Received: version=$version, task=$task"
            }
            for ((field, allowed) in FIELDS) {
                val found = card.getString(field)
                must(found in allowed) { "$field ${allowed.joinToString(" or ")}. Received: $found" }
            }
        }

        /** The outputs by level and kind; the file has them in an order of its own. */
        private fun outputs(card: JSONObject, classes: Int): List<TensorSpec> {
            val others = card.optJSONArray("other_outputs") ?: JSONArray()
            val all = List(others.length()) { others.getJSONObject(it) } + card.getJSONObject("output")
            val found = all.map { tensorSpec(it, it.optString("name")) }.associateBy { it.name }
            val levels = generateSequence(3) { it + 1 }.takeWhile { "${KINDS[0]}_P$it" in found }.toList()
            must(levels.isNotEmpty()) { "the outputs of FCOS from class_logits_P3 on" }
            val channels = mapOf(KINDS[0] to classes, KINDS[1] to 4, KINDS[2] to 1)
            return levels.flatMap { level ->
                val size = found.getValue("${KINDS[0]}_P$level").shape
                KINDS.map { kind -> fitting(found["${kind}_P$level"], "${kind}_P$level", size, channels.getValue(kind)) }
            }
        }

        private fun fitting(spec: TensorSpec?, name: String, size: IntArray, channels: Int): TensorSpec {
            val shape = size.copyOf().also { if (it.size == 4) it[3] = channels }
            if (spec == null || shape.size != 4 || !spec.shape.contentEquals(shape) || spec.scale <= 0) {
                throw wrong("an output $name ${shape.toList()} of a positive scale")
            }
            return spec
        }

        private fun check(card: DetectorCard) {
            val image = card.input.shape
            val usual = image.size == 4 && image[0] == 1 && image[3] == 3 && image.all { it > 0 }
            must(usual && card.input.scale > 0) {
                "an input (1, height, width, 3). Received: ${image.toList()}"
            }
            must(card.mean.size == 3 && card.std.size == 3 && card.std.all { it > 0 }) {
                "three means and positive stds"
            }
            must(card.sides.size == 2 && card.sides.all { it > 0 } && card.most > 0) {
                "two positive sides and a positive number of boxes"
            }
            must(card.scoreThreshold in 0.0..1.0 && card.nms in 0.0..1.0) {
                "a score_threshold and an nms within 0..1"
            }
        }

        private inline fun must(good: Boolean, rule: () -> String) {
            if (!good) throw wrong(rule())
        }

        private fun wrong(rule: String) =
            BadCard("The card of a detector must have $rule. Convert the model again.")

        private val FIELDS = mapOf(
            "head" to HEADS,
            "channels" to setOf("rgb"),
            "geometry" to setOf("continuous"),
        )
    }

    /** The logit above which a point is a candidate. */
    internal val leastLogit: Float
        get() = when {
            scoreThreshold <= 0 -> Float.NEGATIVE_INFINITY
            scoreThreshold >= 1 -> Float.POSITIVE_INFINITY
            else -> ln(scoreThreshold / (1 - scoreThreshold)).toFloat()
        }
}

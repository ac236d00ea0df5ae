package hrnet.host

import hrnet.core.DetectorCard
import hrnet.core.Frame
import hrnet.core.PersonDetector
import hrnet.core.PoseException
import java.io.File
import java.nio.ByteBuffer
import kotlin.system.exitProcess
import org.json.JSONArray
import org.json.JSONObject

/**
 * Runs the app's `PersonDetector` on pictures: `LIBRARY MODEL.tflite JOB.json OUTPUT.json`.
 *
 * The job is a list of {pixels: file of RGBA bytes, width, height, rotation}; the output has
 * {corners, scores} for each picture.
 */
fun main(arguments: Array<String>) {
    val (library, model, job, output) = arguments
    try {
        val card = DetectorCard.read(File(model.removeSuffix(".tflite") + ".json").readText())
        val host = HostModel(LiteRt.load(library), model, card.input, card.outputs)
        PersonDetector(card, host).use { detector ->
            val found = JSONArray(File(job).readText()).map { boxes(detector, it as JSONObject) }
            File(output).writeText(JSONArray(found).toString())
        }
    } catch (error: PoseException) {
        System.err.println(error.message)
        exitProcess(1)
    }
}

private fun boxes(detector: PersonDetector, picture: JSONObject): JSONObject {
    val frame = Frame()
    frame.fill(
        ByteBuffer.wrap(File(picture.getString("pixels")).readBytes()),
        picture.getInt("width"),
        picture.getInt("height"),
        rotation = picture.optInt("rotation"),
    )
    val found = detector.find(frame)
    return JSONObject()
        .put("corners", JSONArray(found.corners.copyOf(4 * found.count)))
        .put("scores", JSONArray(found.scores.copyOf(found.count)))
}

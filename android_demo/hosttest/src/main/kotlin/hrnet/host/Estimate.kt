package hrnet.host

import hrnet.core.Box
import hrnet.core.Card
import hrnet.core.Frame
import hrnet.core.Pose
import hrnet.core.PoseEstimator
import hrnet.core.PoseException
import java.io.File
import java.nio.ByteBuffer
import java.util.Base64
import kotlin.system.exitProcess
import org.json.JSONArray
import org.json.JSONObject

/**
 * Runs the app's `PoseEstimator` on pictures: `LIBRARY MODEL.tflite JOB.json OUTPUT.json`.
 *
 * The job is a list of {pixels: file of RGBA bytes, width, height, rotation, boxes}; the output has a
 * list per picture of {points, scores, score, input, output}, the tensors as base64 if the job says
 * `tensors`.
 */
fun main(arguments: Array<String>) {
    val (library, model, job, output) = arguments
    try {
        val estimator = estimator(library, model)
        estimator.model.use {
            val poses = JSONArray(File(job).readText()).map { poses(estimator, it as JSONObject) }
            File(output).writeText(JSONArray(poses).toString())
        }
    } catch (error: PoseException) {
        System.err.println(error.message)
        exitProcess(1)
    }
}

/** The estimator of a model file with its card beside it. */
fun estimator(library: String, model: String): PoseEstimator {
    val card = Card.read(File(model.removeSuffix(".tflite") + ".json").readText())
    return PoseEstimator(card, HostModel(LiteRt.load(library), model, card.input, listOf(card.output)))
}

private fun poses(estimator: PoseEstimator, picture: JSONObject): JSONArray {
    val frame = Frame()
    frame.fill(
        ByteBuffer.wrap(File(picture.getString("pixels")).readBytes()),
        picture.getInt("width"),
        picture.getInt("height"),
        rotation = picture.optInt("rotation"),
    )
    val boxes = picture.getJSONArray("boxes")
    return JSONArray(List(boxes.length()) { pose(estimator, frame, boxes.getJSONArray(it), picture) })
}

private fun pose(estimator: PoseEstimator, frame: Frame, box: JSONArray, picture: JSONObject): JSONObject {
    val pose = Pose(estimator.card.keypoints.count)
    val (x, y, width, height) = List(4) { box.getDouble(it).toFloat() }
    estimator.estimate(frame, Box(x, y, width, height), pose)
    val result = JSONObject()
        .put("points", JSONArray(pose.points))
        .put("scores", JSONArray(pose.scores))
        .put("score", pose.score)
    if (picture.optBoolean("tensors")) {
        result.put("input", base64(estimator.input.bytes)).put("output", base64(estimator.output.bytes))
    }
    return result
}

private fun base64(bytes: ByteArray) = Base64.getEncoder().encodeToString(bytes)

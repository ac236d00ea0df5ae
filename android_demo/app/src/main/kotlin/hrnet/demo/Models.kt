package hrnet.demo

import android.content.res.AssetManager
import hrnet.core.BadCard
import hrnet.core.Card
import hrnet.core.DetectorCard
import java.io.FileNotFoundException

/** Names of the pose models that came with the app, without `.tflite`. */
fun modelNames(assets: AssetManager): List<String> = names(assets).filterNot { isDetector(assets, it) }

/** The name of the detector of people that came with the app, the first by name; null without one. */
fun detectorName(assets: AssetManager): String? = names(assets).firstOrNull { isDetector(assets, it) }

/** The card beside a pose model. Throws [BadCard] if there is none or it cannot be used. */
fun readCard(assets: AssetManager, name: String): Card = Card.read(text(assets, name))

/** The same of a detector. */
fun readDetectorCard(assets: AssetManager, name: String): DetectorCard =
    DetectorCard.read(text(assets, name))

private fun names(assets: AssetManager) = assets.list("").orEmpty()
    .filter { it.endsWith(".tflite") }
    .map { it.removeSuffix(".tflite") }
    .sorted()

private fun isDetector(assets: AssetManager, name: String) = try {
    DetectorCard.isOne(text(assets, name))
} catch (_: BadCard) {
    false // `readCard` says what is wrong
}

private fun text(assets: AssetManager, name: String) = try {
    assets.open("$name.json").use { it.readBytes().decodeToString() }
} catch (_: FileNotFoundException) {
    throw BadCard("$name.json is missing. Copy the card that was written beside $name.tflite.")
}

package hrnet.demo

import android.content.res.AssetManager
import hrnet.core.BadCard
import hrnet.core.Card
import java.io.FileNotFoundException

/** Names of the models that came with the app, without `.tflite`. */
fun modelNames(assets: AssetManager): List<String> = assets.list("").orEmpty()
    .filter { it.endsWith(".tflite") }
    .map { it.removeSuffix(".tflite") }
    .sorted()

/** The card beside a model. Throws [BadCard] if there is none or it cannot be used. */
fun readCard(assets: AssetManager, name: String): Card = try {
    Card.read(assets.open("$name.json").use { it.readBytes().decodeToString() })
} catch (_: FileNotFoundException) {
    throw BadCard("$name.json is missing. Copy the card that was written beside $name.tflite.")
}

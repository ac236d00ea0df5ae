package hrnet.core

/** What can go wrong with what a user brings; the message is a sentence to show. */
sealed class PoseException(message: String, cause: Throwable? = null) : Exception(message, cause)

/** The card beside a model is missing, damaged, or of another version or task. */
class BadCard(message: String) : PoseException(message)

/** The tensors of a model are not those of its card, or hold no numbers. */
class BadTensor(message: String) : PoseException(message)

/** An image that cannot be: no pixels, a buffer too short, a rotation of 45 degrees. */
class BadFrame(message: String) : PoseException(message)

/** The model cannot be opened or run. */
class ModelFailed(message: String, cause: Throwable? = null) : PoseException(message, cause)

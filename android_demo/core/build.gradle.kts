plugins {
    id("org.jetbrains.kotlin.jvm")
}

kotlin {
    jvmToolchain(17)
    sourceSets["test"].kotlin.srcDir("src/golden/kotlin")
}

sourceSets["test"].resources.srcDir("src/golden/resources")

dependencies {
    compileOnly("org.json:json:20250517") // Android carries these classes
    testImplementation("org.json:json:20250517")
    testImplementation("junit:junit:4.13.2")
}

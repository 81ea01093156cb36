"""The dock "Models": all of them with what is known of each, bringing them in and passing them on."""

SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#api",
  deepLinking: true,
  // It would send the document's address to a host of others.
  validatorUrl: null,
});

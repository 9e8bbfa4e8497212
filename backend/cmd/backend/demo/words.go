package demo

// words are what an organization's records are called.
type words struct {
	clients, industries, cities, deals, engagements, projects, milestones, tasks, threads, messages []string
}

var firstNames = []string{
	"Amara", "Anton", "Beatriz", "Björn", "Chiara", "Cornelius", "Dana", "Elif", "Emeka", "Fiona", "Grzegorz", "Hanna", "Idris", "Ines",
	"Jonas", "Kaito", "Katarzyna", "Leila", "Luca", "Mats", "Nadia", "Niamh", "Oskar", "Priya", "Rosa", "Samuel", "Sofia", "Tomás", "Ute", "Yara",
}

var lastNames = []string{
	"Abbott", "Almeida", "Andersen", "Baptiste", "Brandt", "Castellano", "Dahl", "Demir", "Eriksson", "Fontaine", "Goldberg", "Hartmann",
	"Iwasaki", "Jensen", "Kowalski", "Lindqvist", "Marchetti", "Nwosu", "O’Connor", "Petrov", "Quintana", "Rahman", "Sato", "Tran", "Weber", "Zimmer",
}

var titles = []string{"Managing director", "Head of marketing", "Product manager", "Office manager", "Chief financial officer", "Buyer", "Brand lead"}

// studio designs for others.
var studio = words{
	clients: []string{
		"Aldgate Roasters", "Alpenglow Outdoor", "Banner & Sons", "Beacon Dental", "Bellmont Insurance", "Birch Street Bakery", "Blue Heron Yachts",
		"Calloway Furniture", "Cedar Point School", "Clementine Foods", "Copperfield Brewing", "Dovetail Joinery", "Driftwood Hotels", "Eastgate Theatre",
		"Ember Ceramics", "Fable & Finch", "Foxglove Botanicals", "Gilded Page Books", "Granite Logistics", "Halcyon Travel", "Hazelwood Clinic",
		"Ironbridge Cycles", "Juniper Skincare", "Kestrel Aviation", "Lantern Energy", "Larkspur Gardens", "Meridian Labs", "Millstone Grain",
		"Nightingale Care", "Northlight Opticians", "Oakhurst Estates", "Orchard Lane Cider", "Paper Lantern Press", "Quayside Fishery", "Redwood Robotics",
		"Saltmarsh Oysters", "Thistle & Thread", "Umbra Lighting", "Violet Hour Events", "Wayfarer Maps",
	},
	industries:  []string{"Food and drink", "Health", "Retail", "Travel", "Manufacturing", "Education", "Energy"},
	cities:      []string{"Hamburg", "Utrecht", "Lyon", "Porto", "Bologna", "Ghent", "Aarhus", "Graz"},
	deals:       []string{"Website relaunch", "Brand refresh", "Packaging for the new range", "Annual report", "Photography", "Trade fair stand", "Online shop", "Signage"},
	engagements: []string{"Relaunch", "Brand programme", "Design retainer", "Campaign"},
	projects:    []string{"Discovery", "Visual identity", "Website build", "Launch"},
	milestones:  []string{"Concept approved", "Design complete", "Handover"},
	tasks: []string{
		"Interview the sales team", "Collect brand assets", "Draft the sitemap", "Sketch three directions", "Prepare the moodboard", "Write the home page",
		"Choose the typefaces", "Photograph the workshop", "Build the component library", "Test on phones", "Migrate the old pages", "Plan the launch day",
	},
	threads:  []string{"Feedback on the second draft", "Timeline for the launch", "Access to the old website", "Invoice address"},
	messages: []string{"The blue works much better, thank you.", "Could we see it with the longer headline?", "Monday at ten suits us.", "I have added comments to the file.", "Approved from our side."},
}

// brewery supplies others.
var brewery = words{
	clients: []string{
		"Anchor Street Deli", "Barley & Bloom", "Cutwater Grill", "Dockside Provisions", "Fogline Cafe", "Gull Rock Inn", "Harborview Catering",
		"Lighthouse Pantry", "Mooring House", "Pier Nine Taproom", "Saltbox Market", "Tidewater Kitchen",
	},
	industries:  []string{"Restaurants", "Retail", "Hotels"},
	cities:      []string{"Portland", "Astoria", "Bellingham", "Eureka"},
	deals:       []string{"Summer menu", "House label", "Tap takeover", "Holiday order"},
	engagements: []string{"Seasonal supply", "House label"},
	projects:    []string{"Recipe", "Labels", "First delivery"},
	milestones:  []string{"Tasting done", "First pallet shipped"},
	tasks:       []string{"Book the tasting", "Order bottles", "Approve the label", "Schedule the delivery", "Train the staff", "Check the cold chain"},
	threads:     []string{"Label artwork", "Delivery window"},
	messages:    []string{"Thursday mornings are best.", "The samples arrived cold, thank you.", "Please add two more cases."},
}

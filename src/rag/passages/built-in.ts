import type { Passage } from '../passage.js';

/** A little general knowledge, to try things with. */
export const builtInPassages: readonly Passage[] = [
  {
    title: 'Paris',
    text: 'Paris is the capital of France. It lies on the river Seine and is known for the Eiffel Tower, which was built in 1889.',
  },
  {
    title: 'Berlin',
    text: 'Berlin is the capital of Germany. It lies on the river Spree and was divided by a wall from 1961 to 1989.',
  },
  {
    title: 'Rome',
    text: 'Rome is the capital of Italy. The river Tiber runs through it, and the Colosseum is nearly two thousand years old.',
  },
  {
    title: 'Madrid',
    text: 'Madrid is the capital of Spain and lies in the middle of the country, about 650 metres above the sea.',
  },
  {
    title: 'Lisbon',
    text: 'Lisbon is the capital of Portugal. It lies where the river Tagus meets the Atlantic Ocean.',
  },
  {
    title: 'Cairo',
    text: 'Cairo is the capital of Egypt and lies on the Nile, near the pyramids of Giza.',
  },
  {
    title: 'Nairobi',
    text: 'Nairobi is the capital of Kenya. A national park with lions and giraffes begins at its edge.',
  },
  {
    title: 'Tokyo',
    text: 'Tokyo is the capital of Japan. It was called Edo until 1868 and is one of the largest cities of the world.',
  },
  {
    title: 'Canberra',
    text: 'Canberra is the capital of Australia. It was planned as a compromise between Sydney and Melbourne.',
  },
  {
    title: 'Ottawa',
    text: 'Ottawa is the capital of Canada and lies in the province of Ontario, on the border to Quebec.',
  },
  {
    title: 'Brasília',
    text: 'Brasília is the capital of Brazil. It was built in the inland and became the capital in 1960.',
  },
  {
    title: 'Mercury',
    text: 'Mercury is the planet nearest to the Sun and the smallest of the eight. A year there takes 88 days.',
  },
  {
    title: 'Venus',
    text: 'Venus is the hottest planet, for its thick clouds of carbon dioxide keep the heat. It has no moon.',
  },
  {
    title: 'Earth',
    text: 'Earth is the third planet from the Sun and the only one known to have life. It has one moon.',
  },
  {
    title: 'Mars',
    text: 'Mars is called the red planet for its iron oxide. It has two small moons, Phobos and Deimos, and the tallest known volcano, Olympus Mons.',
  },
  {
    title: 'Jupiter',
    text: 'Jupiter is the largest planet of the solar system. Its great red spot is a storm larger than the Earth.',
  },
  {
    title: 'Saturn',
    text: 'Saturn is the second largest planet and has wide rings of ice and rock. Titan is its largest moon.',
  },
  {
    title: 'Neptune',
    text: 'Neptune is the farthest planet from the Sun. It was found in 1846 by calculation before anybody had seen it.',
  },
  {
    title: 'Moon',
    text: 'The Moon circles the Earth in about 27 days. In 1969 Neil Armstrong was the first human to walk on it.',
  },
  {
    title: 'Nile',
    text: 'The Nile is a river in Africa, about 6,650 kilometres long. It flows north into the Mediterranean Sea.',
  },
  {
    title: 'Amazon River',
    text: 'The Amazon carries more water than any other river. It rises in the Andes of Peru and ends in the Atlantic.',
  },
  {
    title: 'Danube',
    text: 'The Danube rises in the Black Forest and flows through ten countries to the Black Sea. Vienna, Budapest and Belgrade lie on it.',
  },
  {
    title: 'Mount Everest',
    text: 'Mount Everest in the Himalaya is the highest mountain above the sea, at 8,849 metres. Edmund Hillary and Tenzing Norgay climbed it first, in 1953.',
  },
  {
    title: 'Sahara',
    text: 'The Sahara in North Africa is the largest hot desert of the world.',
  },
  {
    title: 'Pacific Ocean',
    text: 'The Pacific is the largest and deepest ocean. The Mariana Trench in it is almost 11 kilometres deep.',
  },
  {
    title: 'Albert Einstein',
    text: 'Albert Einstein published the theory of relativity. He received the Nobel Prize in Physics of 1921 for explaining the photoelectric effect.',
  },
  {
    title: 'Marie Curie',
    text: 'Marie Curie studied radioactivity and discovered polonium and radium. She was the first person to receive two Nobel Prizes.',
  },
  {
    title: 'Isaac Newton',
    text: 'Isaac Newton described gravity and the three laws of motion in a book of 1687, the Principia.',
  },
  {
    title: 'Charles Darwin',
    text: 'Charles Darwin explained the origin of species by natural selection. He had travelled on the ship Beagle.',
  },
  {
    title: 'Ada Lovelace',
    text: 'Ada Lovelace wrote what is often called the first computer program, for the Analytical Engine of Charles Babbage, in 1843.',
  },
  {
    title: 'Alan Turing',
    text: 'Alan Turing described a universal computing machine in 1936 and helped to break the Enigma cipher.',
  },
  {
    title: 'Blue whale',
    text: 'The blue whale is the largest animal that has ever lived, up to 30 metres long. It feeds on krill.',
  },
  {
    title: 'Cheetah',
    text: 'The cheetah is the fastest animal on land and reaches about 100 kilometres an hour, for a short while.',
  },
  {
    title: 'Giraffe',
    text: 'The giraffe is the tallest animal. Its neck has seven bones, as many as that of a human.',
  },
  {
    title: 'Emperor penguin',
    text: 'The emperor penguin lives in Antarctica. The male keeps the egg warm on his feet through the winter.',
  },
  {
    title: 'Honey bee',
    text: 'Honey bees live in colonies with one queen. They tell one another where flowers are by a dance.',
  },
  {
    title: 'Octopus',
    text: 'An octopus has eight arms, three hearts and blue blood.',
  },
  {
    title: 'Water',
    text: 'Water is made of hydrogen and oxygen. It freezes at 0 and boils at 100 degrees Celsius at sea level.',
  },
  {
    title: 'Photosynthesis',
    text: 'In photosynthesis plants turn carbon dioxide and water into sugar and oxygen, with the energy of light.',
  },
  {
    title: 'William Shakespeare',
    text: 'William Shakespeare wrote Hamlet, Macbeth and Romeo and Juliet. He was born in Stratford-upon-Avon in 1564.',
  },
  {
    title: 'Ludwig van Beethoven',
    text: 'Ludwig van Beethoven composed nine symphonies. He was almost deaf when the ninth was first played in 1824.',
  },
];
